"""The command `callscope` as a whole."""

import subprocess
import sys


def test_matrices_take_one_thread_however_many_cores_there_are() -> None:
    """Sums in another order are other sums: the same call would get another record elsewhere."""
    told = (
        "import sys; sys.argv = ['callscope', 'version']\n"
        "from services.__main__ import main; main()\n"
        "import numpy, threadpoolctl\n"
        "print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split("\n")[1] == "{1}"
