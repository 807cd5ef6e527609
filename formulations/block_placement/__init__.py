"""Fine-grained DNN block placement on edge servers and IoT devices (paper 001, MT-A3C)."""

from optkit.registry import Method, Problem

FAMILIES = {
    "tiny": "random, every option and coupling drawn, small enough to enumerate",
    "small": "one short slot of 5 to 20 tasks of a real network under processor sharing",
    "paper": "the printed model: 600 slots of 60 VGG16 tasks, 6 blocks, 4 servers, no coupling",
    "paper-ps": "paper with processor sharing at the servers",
    "paper-batch": "paper with one placement for all requests of a slot",
    "paper-storage": "paper with shared storage of 64, 32, 16, 8 MB over the horizon",
    "paper-energy": "paper-ps with 2 servers and 0.7 of the energy an unconstrained rule uses",
    "energy": "AlexNet at 224 on fast devices, budgets between least and unconstrained energy",
    "large": "one slot of 1,000 VGG16 tasks on 16 servers under processor sharing",
}

PROBLEM = Problem(
    name="block_placement",
    instance="formulations.block_placement.instance:BlockPlacement",
    generate="formulations.block_placement.generate:generate",
    families=FAMILIES,
    methods=(
        Method(
            "dp",
            "formulations.block_placement.dp:dp",
            "exact",
            "one layered shortest path for each task, where nothing couples tasks",
            proves_bound=True,
            applies="formulations.block_placement.dp:applies",
            reference="ours; the printed problem of paper 001 is polynomial",
        ),
        Method(
            "lagrangian",
            "formulations.block_placement.lagrangian:lagrangian",
            "exact",
            "energy budgets priced device by device, then every path that could matter",
            proves_bound=True,
            applies="formulations.block_placement.lagrangian:applies",
            reference="ours",
        ),
        Method(
            "cg",
            "formulations.block_placement.cg:cg",
            "exact",
            "column generation for each slot with a closed-form dual bound, then branching",
            proves_bound=True,
            applies="formulations.block_placement.cg:applies",
            reference="ours",
        ),
        Method(
            "storage",
            "formulations.block_placement.storage:storage",
            "exact",
            "branch and bound on what each server stores, every node a dynamic programme",
            proves_bound=True,
            applies="formulations.block_placement.storage:applies",
            reference="ours",
        ),
        Method(
            "rpdi",
            "formulations.block_placement.rules:rpdi",
            "heuristic",
            "every block to a random location, best of some samples",
            reference="paper 001, baselines",
        ),
        Method(
            "apdi",
            "formulations.block_placement.rules:apdi",
            "heuristic",
            "blocks spread evenly over the servers",
            reference="paper 001, baselines",
        ),
        Method(
            "greedy",
            "formulations.block_placement.rules:greedy",
            "heuristic",
            "each block to the server with the least work in its slot",
            reference="paper 001, baselines [54]",
        ),
        Method(
            "greedy_delay",
            "formulations.block_placement.rules:greedy_delay",
            "heuristic",
            "each block to where it is done soonest under the loads so far",
            reference="paper 001, baselines",
        ),
        Method(
            "all_local",
            "formulations.block_placement.rules:all_local",
            "heuristic",
            "every block on the task's own device",
            reference="paper 001, baselines",
        ),
        Method(
            "single_es",
            "formulations.block_placement.rules:single_es",
            "heuristic",
            "each task as a whole to the best server, blind to load",
            reference="ours",
        ),
        Method(
            "marginal_greedy",
            "formulations.block_placement.rules:marginal_greedy",
            "heuristic",
            "each task onto the path with at most one move that adds least to the objective",
            reference="ours",
        ),
    ),
)
