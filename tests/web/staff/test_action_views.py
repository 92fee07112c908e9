"""The rows of web/staff/action_views.py beside the workflow table and the forms of the attention page."""

from __future__ import annotations

from printsys.domain import workflow
from printsys.domain.events import STAFF
from printsys.domain.inputs import NoInput
from printsys.web.staff.action_views import ACTION_VIEWS
from printsys.web.staff.fixes import FIXES

STAFF_STEPS = [step for step in workflow.STEPS if STAFF in step.who]


def test_every_staff_action_of_the_workflow_has_a_view_and_no_other() -> None:
    assert set(ACTION_VIEWS) == {step.action for step in STAFF_STEPS}


def test_an_action_that_needs_an_answer_has_a_form_with_the_fields_of_its_input() -> None:
    for step in STAFF_STEPS:
        view = ACTION_VIEWS[step.action]
        form = view.extra if step.action == "start" else view.form  # the printer has a default, too
        if step.action == "resend-email":  # its one input, which e-mail, has a default
            continue
        assert (form is None) == (step.needs is NoInput), step.action
        if form is not None:
            assert set(step.needs.model_fields) <= set(dir(form)), step.action


def test_the_fixes_that_lead_to_a_form_lead_to_one_that_there_is() -> None:
    forms = {fix.form for fix in FIXES.values() if fix.form}
    assert forms - {"adopt"} <= {action for action, view in ACTION_VIEWS.items() if view.form}
