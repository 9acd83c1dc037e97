"""`python -m services.cli` is the `lockgate` command."""

import sys

from services.cli.app import main

sys.exit(main())
