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
    methods=(),
)
