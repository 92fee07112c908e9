"""The pages. An app is made for a house (see printsys.wiring); nothing is made at import."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, request
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect

from indexer.notifications import ChangeListener
from printsys.config import ROOT, Settings
from printsys.services import Services, build_services
from printsys.web import api, auth, errors, filters, health, limits, live, security
from printsys.web.services import EXTENSION
from printsys.web.staff import archive, attention, files, job, mails, opening
from printsys.web.student import resubmit, submit, upload_check

WORKING_DAY = timedelta(hours=12)


class App(Flask):
    def log_exception(self, exc_info: Any) -> None:
        """Without the request's path, which may hold a student's link."""
        self.logger.error("a mistake of ours on %s %s", request.method, request.url_rule, exc_info=exc_info)


def create_app(services: Services) -> Flask:
    app = App("printsys", root_path=str(ROOT), template_folder="templates", static_folder="static")
    is_https = services.settings.base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=services.settings.secret_key,
        MAX_CONTENT_LENGTH=services.lab.max_files * services.lab.max_file_bytes + 1024 * 1024,
        SESSION_COOKIE_NAME="printsys",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https,
        PERMANENT_SESSION_LIFETIME=WORKING_DAY,
        WTF_CSRF_TIME_LIMIT=int(WORKING_DAY.total_seconds()),
        WTF_CSRF_SSL_STRICT=is_https,
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    app.extensions[EXTENSION] = services
    app.extensions[live.EXTENSION] = ChangeListener(services.mirror.engine)
    app.jinja_env.globals["attention_count"] = attention.count
    Bootstrap5(app)
    CSRFProtect(app)
    limits.init(app)
    for part in (security, errors, filters):
        part.init(app)
    for room in (
        submit,
        upload_check,
        resubmit,
        auth,
        job,
        files,
        opening,
        attention,
        archive,
        mails,
        api,
        live,
        health,
    ):
        app.register_blueprint(room.pages)
    return app


def create_app_from_environment(settings: Settings) -> Flask:
    """The app as `manage.py web` serves it."""
    from printsys.worker.queue import make_enqueue

    return create_app(build_services(settings, make_enqueue(settings)))
