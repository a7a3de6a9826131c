"""What the process of a run is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lra.config import ONE_DEVICE, Launch, Place, RunConfig
from lra.data.prepare import PREPARED
from lra.jobs.work import Work
from lra.results.layout import LOG
from lra.run.journal import Measured


@dataclass(frozen=True)
class Job:
    """measure, only_measure, measured, beside, verify: as `run` has them. memory: bytes of main
    memory that it may take, None for any."""

    config: RunConfig
    place: Place
    launch: Launch = ONE_DEVICE
    rerun: bool = False
    measure: bool = True
    only_measure: bool = False
    measured: Measured | None = None
    beside: tuple[str, ...] = ()
    verify: bool = True
    memory: int | None = None

    @property
    def directory(self) -> Path:
        return self.config.directory(self.place.results)

    def work(
        self,
        threads: int | None = None,
        env: Mapping[str, str] | None = None,
        job: str = "lra.run.carry:carry_out",
    ) -> Work:
        return Work(
            job,
            self,
            log=self.directory / LOG,
            memory=None if self.memory is None else self.memory + self._mapped(),
            threads=threads,
            env=env or {},
            fresh=self.config.accelerator == "cuda",
        )

    def _mapped(self) -> int:
        """Bytes of prepared data, which take addresses and no memory of their own."""
        arrays = (self.place.data_dir / PREPARED / self.config.data).glob("*.npy")
        return sum(array.stat().st_size for array in arrays)
