"""Long work with an id: frozen jobs, a closed set of states, a journal that survives everything, and a runner that
gives each attempt a process of its own. Knows no torch, no model store and no HTTP."""
