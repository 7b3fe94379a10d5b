"""Settings to fill in, each with its default or a comment that shows it."""

from __future__ import annotations

_EXAMPLE = """\
# Settings of cellpipe watch, cellpipe nightly and cellpipe serve.
{time_zone}

[[lab]]
# name = "lab"                       # what Prefect calls it; left out: the name of its folder
folder = {folder}# raw files, and cells.xlsx at its top
# also = ['\\\\nas\\neware']            # more folders with raw files of the same cells
results = {results}# tables, pages, workbooks: cellpipe's own
# time_zone = "Asia/Seoul"           # of this lab's clocks, if it is another one
# ledger = "postgresql://lab@server/cellpipe" # left out: a file among the results
# fetch = "s3://exports/lab"          # files are brought into folder from there
# publish = "s3://results/lab"        # … and results to there; see docs/scale.md

[watch]
settle_seconds = 1                   # a file is taken when it was still for this long
incomplete_seconds = 30              # … or for this long, if it seems to be cut
growing_minutes = 60                 # the file of a running test is read again this often
poll_seconds = 1                     # folders are looked at this often
fetch_seconds = 60                   # object storage is looked at this often
events = "auto"                      # "on", "off"; auto asks the system on local disks only

[nightly]
cron = "0 2 * * *"                   # minute hour day month weekday
# time_zone = "Europe/Berlin"        # of the cron line; the one above if left out

[server]                             # of cellpipe serve
host = "127.0.0.1"                   # other machines can't reach it; see docs/night-shift.md
port = 4200                          # of its page: http://127.0.0.1:4200
# hosts = ["cycler.example.org"]     # other names by which it is called, as by a reverse proxy
keep_days = 90                       # of Prefect's records; the ledger keeps its own for good
# database = "postgresql+asyncpg://…" # of Prefect's records; left out: a file beside this one

[runner]                             # where the flows' work is done; see docs/scale.md
kind = "threads"                     # this machine; or "dask", "ray"
# address = "tcp://scheduler:8786"   # of a cluster; left out, one of this machine is started
# workers = 2                        # of that one

[limits]                             # a cell that crosses one raises an alarm
coulombic_efficiency = 0.98          # median of the latest three cycles
sudden_loss = 0.05                   # of the capacity, from one cycle to the next
resistance_growth = 2.0              # of the interface, last over first
retention = 0.8                      # of the capacity, at the usual rate
apart = 0.1                          # a replicate from its group, of the others' median
silent_hours = 24                    # without a new record of a test that runs

# [hand_on]                          # what each night hands on; see docs/hand-on.md
# organisation = "Battery Lab, University of …" # who hands on
# authors = ["Anna Müller <anna.mueller@example.org>"] # whose work it is
# licence = "CC-BY-4.0"              # left out: no licence is stated
# prefix = "cellpipe"                # what identifiers in notebooks begin with
# eln = true                         # an archive of the cells of each night, in RESULTS/eln

# [hand_on.kadi]
# url = "https://kadi.example.org"   # the lab's Kadi4Mat
# token = "env:KADI_TOKEN"           # or file:kadi.token, or prefect:BLOCK; never the token itself

# [hand_on.elabftw]
# url = "https://eln.example.org"    # the lab's eLabFTW
# token = "file:elabftw.key"         # as above
# certificate_authority = 'lab-ca.pem' # for a server with a certificate of the lab's own
# items = [12, 34]                   # resources that each experiment is linked to

# [notify]
# to = ["env:CELLPIPE_MAIL"]         # an address of apprise, as mailtos://… or msteams://…
# when = "news"                      # "alarms", "always"
"""


def example_settings(folder: str, results: str, time_zone: str | None = None) -> str:
    """Return settings to fill in, each with its default or a comment that shows it.

    No time zone is guessed: without ``time_zone`` the line for it is a comment.
    """
    zone = f'{"" if time_zone else "# "}time_zone = "{time_zone or "Europe/Berlin"}"'
    return _EXAMPLE.format(
        time_zone=f"{zone:<37}# of the instruments' clocks",
        folder=f"'{folder}'".ljust(28), results=f"'{results}'".ljust(27),
    )  # fmt: skip


EXAMPLE = example_settings("D:\\exports", "D:\\results", "Europe/Berlin")
