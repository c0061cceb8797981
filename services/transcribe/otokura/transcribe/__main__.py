"""`python -m otokura.transcribe`: serve until SIGTERM."""

import gc

if __name__ == "__main__":
    gc.disable()  # until it serves: otokura.shared.http._Server turns it on and says why
    from otokura.shared.http import run
    from otokura.transcribe.app import create_app
    from otokura.transcribe.settings import Settings

    run(create_app, Settings.load())
