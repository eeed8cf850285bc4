"""Where attempts run. `executor.py` is the interface that the runner knows; each other module or package is an implementation.
The contract test is `tests/jobs/executors/executor_contract.py`."""
