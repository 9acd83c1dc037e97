"""Starts the OMS process."""

from services.oms.wiring import OmsProcess
from services.runtime.process import run

if __name__ == "__main__":
    oms = OmsProcess()
    run("oms", oms.serve, beside=oms.guard)
