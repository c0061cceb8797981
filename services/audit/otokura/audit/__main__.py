"""`python -m otokura.audit`: serve until SIGTERM."""

import gc

if __name__ == "__main__":
    gc.disable()  # until it serves: otokura.shared.http._Server turns it on and says why
    from otokura.audit.app import create_app
    from otokura.audit.settings import Settings
    from otokura.shared.http import run

    run(create_app, Settings.load())
