"""`python -m otokura.access`: serve until SIGTERM."""

import gc

if __name__ == "__main__":
    gc.disable()  # until it serves: otokura.shared.http._Server turns it on and says why
    from otokura.access.app import create_app
    from otokura.access.settings import Settings
    from otokura.shared.http import run

    run(create_app, Settings.load())
