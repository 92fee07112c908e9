"""The pages. `create_app` builds an app for the services of one process; nothing is built at import."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, request
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from indexer.notifications import ChangeListener
from printsys.assessment.upload_checker import SCRATCH, UploadChecker
from printsys.config import ROOT
from printsys.credentials.ended_sessions import EndedSessions
from printsys.ops.command_runs import CommandRuns
from printsys.services import Services
from printsys.web import (
    api,
    auth,
    calendar_feed,
    errors,
    filters,
    health,
    limits,
    live,
    login_limits,
    metrics,
    security,
    static_files,
    uploads,
)
from printsys.web.services import EXTENSION
from printsys.web.sessions import SteadySessions
from printsys.web.staff import (
    actions,
    archive,
    attention,
    bulk,
    counter,
    dashboard,
    files,
    job,
    lab,
    mails,
    new,
    queue,
    reports,
    retention,
    settings,
    system,
    ticket,
    today,
)
from printsys.web.student import confirm, double_submit, receipt_limit, resubmit, status, submit, upload_check

WORKING_DAY = timedelta(hours=12)
STUDENT_PAGES = (submit, upload_check, status, confirm, resubmit)
STAFF_PAGES = (
    today,
    queue,
    new,
    lab,
    dashboard,
    job,
    counter,
    ticket,
    actions,
    bulk,
    files,
    attention,
    archive,
    mails,
    reports,
    system,
    retention,
    settings,
)
OTHER_PAGES = (auth, api, live, health, metrics, calendar_feed)


class App(Flask):
    def log_exception(self, exc_info: Any) -> None:
        """Without the request's path, which may hold a student's link."""
        self.logger.error("a mistake of ours on %s %s", request.method, request.url_rule, exc_info=exc_info)


def create_app(services: Services) -> Flask:
    app = App("printsys", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.session_interface = SteadySessions()
    is_https = services.settings.base_url.startswith("https://")
    app.config.update(
        SECRET_KEY=services.settings.secret_key,
        MAX_FORM_PARTS=uploads.MOST_FIELDS + services.lab.submission.max_files,
        MAX_CONTENT_LENGTH=services.lab.submission.max_files * services.lab.submission.max_file_bytes + 1024 * 1024,
        SESSION_COOKIE_NAME="printsys",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https,
        PERMANENT_SESSION_LIFETIME=WORKING_DAY,
        WTF_CSRF_TIME_LIMIT=int(WORKING_DAY.total_seconds()),
        WTF_CSRF_SSL_STRICT=is_https,
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    if proxies := services.settings.trusted_proxies:
        middleware = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)
        app.wsgi_app = middleware  # type: ignore[method-assign]
    app.extensions[EXTENSION] = services
    app.extensions[live.EXTENSION] = live.LiveUpdates(ChangeListener(services.mirror.engine))
    app.extensions[login_limits.EXTENSION] = login_limits.LoginLimits(services)
    app.extensions[auth.ENDED] = EndedSessions(services.settings)
    app.extensions[system.EXTENSION] = CommandRuns(services.settings)
    app.extensions[double_submit.EXTENSION] = double_submit.Submissions()
    app.extensions[receipt_limit.EXTENSION] = receipt_limit.ReceiptLimit(services)
    app.extensions[uploads.UPLOAD_CHECKER] = UploadChecker(services.settings.instance / SCRATCH, services.lab.volumes)
    app.jinja_env.globals["attention_count"] = attention.count
    Bootstrap5(app)
    CSRFProtect(app)
    for part in (metrics, security, static_files, uploads, errors, filters):
        part.init(app)
    for module in STUDENT_PAGES + STAFF_PAGES + OTHER_PAGES:
        app.register_blueprint(module.pages)
    limits.init(app)
    return app
