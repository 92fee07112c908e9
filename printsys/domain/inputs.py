"""What a person fills in for each action, validated once, at the edge.

Field names are those of the forms and of the API (DESIGN 8). A missing or impossible value becomes one plain
sentence beside its field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from printsys.domain.status import Status
from printsys.errors import InvalidInput

_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}")
_LINK = re.compile(
    r"://|\bwww\.|\w\w\.[a-z]{2,20}/|\w\w\.(?:com|net|org|edu|gov|io|info|biz|xyz|site|online|shop)\b", re.IGNORECASE
)
"""Two letters before the point, since an initial is often written against the name: J.Doe/M.Roe, R. Kumar B.Com."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
MAX_GRAMS = Decimal(100_000)
MAX_HOURS = Decimal(2_000)
MAX_MONEY = Decimal(100_000)


def _tidy(value: object) -> object:
    """Line ends as one kind, no control characters (they break mails, logs and spreadsheets), no outer blanks."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or c.isprintable()).strip()


def _one_line(value: object) -> object:
    tidy = _tidy(value)
    return " ".join(tidy.split()) if isinstance(tidy, str) else tidy


def _number(value: object) -> object:
    """Accepts what people type: `42,7`, ` 42.7 `, `$4.27`, `42.7 g`; an empty field is a missing one."""
    if not isinstance(value, str):
        return value
    text = value.strip().removeprefix("$").strip()
    for unit in ("g", "h", "ml"):
        text = text.removesuffix(unit).strip()
    # 1,234 is a thousand to some and a little to others: a price must not depend on the guess.
    if "," in text and "." not in text and not _THOUSANDS.fullmatch(text):
        text = text.replace(",", ".")
    return text or None


def _measure(value: object) -> object:
    """A number as a scale or a clock gives it: to three digits after the point."""
    text = _number(value)
    try:
        return round(Decimal(text), 3).normalize() if isinstance(text, str) else text
    except InvalidOperation:
        return text


def _email(value: str) -> str:
    try:
        if "=?" in value:  # allowed in an address, but e-mail programs would decode it (RFC 2047)
            raise EmailNotValidError(value)
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ValueError("Please give an e-mail address like jane@example.edu.") from error


def _name(value: str) -> str:
    """The e-mail greets by it: a stranger's link must not travel in the lab's own e-mail."""
    if _LINK.search(value):
        raise ValueError("Please give a name without a web address.")
    return value


def _absent_if_empty(value: object) -> object:
    tidy = _one_line(value)
    return None if tidy == "" else tidy


Line = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_one_line)]
Plate = Annotated[str, Field(min_length=1, max_length=300)]
OptionalLine = Annotated[Annotated[str, Field(max_length=200)] | None, BeforeValidator(_absent_if_empty)]
Text = Annotated[str, Field(max_length=5000), BeforeValidator(_tidy)]
RequiredText = Annotated[str, Field(min_length=1, max_length=5000), BeforeValidator(_tidy)]
Email = Annotated[str, Field(min_length=1, max_length=254), BeforeValidator(_one_line), AfterValidator(_email)]
Grams = Annotated[Decimal, Field(gt=0, le=MAX_GRAMS), BeforeValidator(_measure)]
Hours = Annotated[Decimal, Field(gt=0, le=MAX_HOURS), BeforeValidator(_measure)]
Money = Annotated[Decimal, Field(ge=0, le=MAX_MONEY, max_digits=9, decimal_places=2), BeforeValidator(_number)]
PositiveMoney = Annotated[Decimal, Field(gt=0, le=MAX_MONEY, max_digits=9, decimal_places=2), BeforeValidator(_number)]
Copies = Annotated[int, Field(ge=1, le=1000)]
Wasted = Annotated[Annotated[Decimal, Field(ge=0, le=MAX_GRAMS)] | None, BeforeValidator(_measure)]
OptionalGrams = Annotated[Annotated[Decimal, Field(gt=0, le=MAX_GRAMS)] | None, BeforeValidator(_measure)]


class ActionInput(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class NoInput(ActionInput):
    """The action needs nothing but the click."""


def _yes(value: object) -> object:
    """A ticked box or a chosen "yes", as browsers and scripts send them."""
    return {"yes": True, "no": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


def _yes_or_absent(value: object) -> object:
    return None if _yes(value) in (False, "", None) else _yes(value)


def _iso_date(value: str | None) -> str | None:
    if value is not None:
        try:
            if not _DATE.fullmatch(value):
                raise ValueError(value)
            date.fromisoformat(value)
        except ValueError as error:
            raise ValueError("Please give a date like 2026-03-31.") from error
    return value


YesOrAbsent = Annotated[Literal[True] | None, BeforeValidator(_yes_or_absent)]


class RequestInput(ActionInput):
    """What is asked for, whoever writes it down. config/offer.py checks that the lab offers its method, color, printer
    and discipline."""

    student_name: Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(_one_line), AfterValidator(_name)]
    discipline: Line
    class_number: Annotated[str, Field(min_length=1, max_length=50), BeforeValidator(_one_line)]
    print_method: Line
    color: Line
    printer: Line
    minimum_charge_consent: Annotated[bool, BeforeValidator(_yes)]
    own_material: YesOrAbsent = None
    copies: Annotated[Copies, BeforeValidator(lambda v: 1 if v == "" else v)] = 1
    due_date: Annotated[OptionalLine, AfterValidator(_iso_date)] = None
    message: Annotated[str, Field(max_length=2000), BeforeValidator(_tidy)] = ""


class SubmitInput(RequestInput):
    """A student's request."""

    student_email: Email


class AtCounterInput(RequestInput):
    """A request that staff write down for somebody at the counter, who may have no address to give."""

    student_email: Annotated[Email | None, BeforeValidator(_absent_if_empty)] = None


class CorrectEmailInput(ActionInput):
    student_email: Email


class WalkInInput(ActionInput):
    """What staff know of a file or folder that becomes a job: who wants it, and how. The rest may stay unknown."""

    student_name: Line
    student_email: Annotated[Email | None, BeforeValidator(_absent_if_empty)] = None
    discipline: OptionalLine = None
    class_number: OptionalLine = None
    print_method: Line
    color: OptionalLine = None
    printer: OptionalLine = None
    copies: Annotated[Copies, BeforeValidator(lambda v: 1 if v == "" else v)] = 1
    due_date: Annotated[OptionalLine, AfterValidator(_iso_date)] = None


class ResubmitInput(SubmitInput):
    """The request sent again. `files`: records of the files sent with it, originals and working copies; none: the
    earlier files stay."""

    files: list[dict[str, Any]] = []


def without_empty(values: Any) -> Any:
    """An empty field counts as missing."""
    return {k: v for k, v in values.items() if v not in ("", None)} if isinstance(values, Mapping) else values


class ApproveInput(ActionInput):
    """`weight_g` grams in all, `time_h` hours in all, `volume_ml` where the method is priced by volume.

    `for_copies`: how many of the job's copies these figures are for; None: all of them. `note`: for the student, in the
    e-mail with the price.
    """

    print_file: list[Line] = Field(min_length=1)
    weight_g: Grams | None = None
    volume_ml: Grams | None = None
    time_h: Hours
    material: Line
    for_copies: Copies | None = None
    note: Annotated[str, Field(max_length=2000), BeforeValidator(_tidy)] = ""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        return without_empty(values)


class QuoteInput(ActionInput):
    """Figures whose price staff see before they approve."""

    weight_g: Grams | None = None
    volume_ml: Grams | None = None
    for_copies: Copies | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, values: Any) -> Any:
        return without_empty(values)


class RejectInput(ActionInput):
    reasons: list[Line] = []
    comment: Text = ""

    @model_validator(mode="after")
    def _some_reason(self) -> Self:
        if not self.reasons and not self.comment:
            raise ValueError("reasons: Please tick a reason, or write one in your own words.")
        return self


class ReasonInput(ActionInput):
    reason: RequiredText


class OptionalReasonInput(ActionInput):
    reason: Text = ""


class ReplyInput(ActionInput):
    """What a student writes to the lab about a job."""

    message: Annotated[str, Field(min_length=1, max_length=2000), BeforeValidator(_tidy)]


class StartInput(ActionInput):
    """`printer`: the id of the one that prints it, where it is not the one that was asked for."""

    printer: OptionalLine = None


class PlatesInput(ActionInput):
    """`plate`: keys of the job's plates (see plates.py)."""

    plate: Annotated[list[Plate], Field(min_length=1)]
    state: Literal["printed", "failed", "reprint", "open"]


Fault = Literal["lab", "model", "machine"]
FAULTS: tuple[str, ...] = get_args(Fault)
"""Whose fault a failed print is."""


class FailInput(ActionInput):
    """`wasted_g`: grams of material lost, None where nobody weighed it."""

    reason: RequiredText
    fault: Fault
    wasted_g: Wasted = None


class PaymentInput(ActionInput):
    """`waive_reason`: why the student need not pay what is left; without one it stays to be paid."""

    payment_method: Line
    transaction: OptionalLine = None
    payer: OptionalLine = None
    waive_reason: OptionalLine = None


class PickupInput(PaymentInput):
    """`charge`: which price counts, None: the one that lab.toml names."""

    weight_g: OptionalGrams = None
    charge: Annotated[Literal["quote", "scale"] | None, BeforeValidator(_absent_if_empty)] = None
    amount: Money
    picked_up_by: Line


class PayInput(PaymentInput):
    """Money for a job that is not handed out with it: before, or after."""

    amount: PositiveMoney


class CounterInput(PaymentInput):
    """One payment at the counter, for one job or several."""

    amount: Money
    picked_up_by: Line


class WeighedInput(ActionInput):
    """What is asked about each job of it."""

    weight_g: OptionalGrams = None
    charge: Annotated[Literal["quote", "scale"] | None, BeforeValidator(_absent_if_empty)] = None


class RefundInput(ActionInput):
    """`still_due`: the price is still to be paid, as after a card that was refused."""

    amount: PositiveMoney
    payment_method: Line
    transaction: OptionalLine = None
    reason: RequiredText
    still_due: Annotated[bool, BeforeValidator(_yes)] = False


class WaiveInput(ActionInput):
    """`amount` None: all that is still to be paid."""

    amount: Annotated[PositiveMoney | None, BeforeValidator(_number)] = None
    reason: RequiredText


class OverrideInput(ActionInput):
    status: Status
    reason: RequiredText


class NotesInput(ActionInput):
    notes: Text = ""


class DetailsInput(ActionInput):
    """Corrections to what the student typed; fields left out stay as they are."""

    student_name: Line | None = None
    student_email: Email | None = None
    discipline: Line | None = None
    class_number: Line | None = None
    print_method: Line | None = None
    color: Line | None = None
    printer: Line | None = None
    own_material: YesOrAbsent = None
    copies: Copies | None = None
    due_date: Annotated[OptionalLine, AfterValidator(_iso_date)] = None
    message: Text | None = None


class ChooseFileInput(ActionInput):
    print_file: list[Line] = Field(min_length=1)


class ResendInput(ActionInput):
    mail: OptionalLine = None


class SupplyInput(ActionInput):
    """Facts that a move by hand skipped; the action uses only those that are missing."""

    print_file: list[Line] = []
    weight_g: OptionalGrams = None
    volume_ml: OptionalGrams = None
    time_h: Annotated[Hours | None, BeforeValidator(_number)] = None
    material: OptionalLine = None
    for_copies: Annotated[Copies | None, BeforeValidator(lambda v: None if v == "" else v)] = None
    reason: Text = ""
    amount: Annotated[Money | None, BeforeValidator(_number)] = None
    payment_method: OptionalLine = None
    transaction: OptionalLine = None
    picked_up_by: OptionalLine = None
    waive_reason: OptionalLine = None
    reasons: list[Line] = []
    comment: Text = ""


class DeleteInput(ActionInput):
    """Staff type the job's id into `confirm_id`, as proof that they mean this job."""

    confirm_id: Line
    reason: Text = ""


SENTENCES = {
    "missing": "Please fill this in.",
    "string_too_short": "Please fill this in.",
    "too_short": "Please choose at least one.",
    "string_type": "Please fill this in.",
    "decimal_type": "Please give a number.",
    "decimal_parsing": "This is not a number.",
    "int_parsing": "This is not a whole number.",
    "bool_parsing": "Please answer yes or no.",
    "bool_type": "Please answer yes or no.",
    "int_type": "This is not a whole number.",
    "greater_than": "This must be more than {gt}.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than_equal": "This must be at most {le}.",
    "decimal_max_places": "Please give at most {decimal_places} digits after the point.",
    "decimal_max_digits": "This number is too large.",
    "decimal_whole_digits": "This number is too large.",
    "finite_number": "This is not a number.",
    "string_too_long": "Please keep this under {max_length} characters.",
    "literal_error": "Please choose one of these: {expected}.",
    "list_type": "Please choose from the list.",
    "dict_type": "Please choose a file.",
    "enum": "Please choose one of these: {expected}.",
}
"""Sentences for pydantic's error types (https://docs.pydantic.dev/latest/errors/validation_errors/)."""


F = TypeVar("F", bound=BaseModel)


def validate(model: type[F], values: Mapping[str, Any]) -> F:
    """`values` as `model`; InvalidInput names each wrong field with a sentence."""
    try:
        return model.model_validate({name: values[name] for name in values})
    except ValidationError as error:
        fields: dict[str, list[str]] = {}
        for problem in error.errors():
            field, sentence = _sentence(problem)
            fields.setdefault(field, []).append(sentence)
        raise InvalidInput(fields) from error


def _sentence(problem: Any) -> tuple[str, str]:
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "value_error":
        message = str(problem["ctx"]["error"])
        named, colon, rest = message.partition(": ")
        # A check over several fields has no place of its own; it names the field that should show it.
        return (named, rest) if not field and colon else (field, message)
    return field, SENTENCES.get(problem["type"], problem["msg"]).format(**problem.get("ctx", {}))
