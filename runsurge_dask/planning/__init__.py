"""What runs where, in how many chunks, before anything runs; where to cut a source, and whether cutting pays.

    levels.make_plan(blocks, edges, kinds, estimates, nodes)     -> Plan: read `levels` first
    validation.validate_plan(plan, ...)                          a plan that a user edited
    artefacts.write_artefacts(folder, program, estimates, plan)  its files, and the scripts of its tasks
    nodes.read_nodes(path)                                       a fleet from a file
    cuts.propose_cuts(request, options)                          where to cut, while the script runs
"""
