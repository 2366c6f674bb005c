"""The files of an MLflow model: a description, a script, and the adapter. No pickle among them.

The script is what MLflow calls a model from code. It imports this program, which must be installed
where the model is loaded; the backbone is read by the name in the adapter's header.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..files import write_whole
from ..methods._metadata import AdapterMetadata

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import Model, ModelSignature

SCRIPT, ADAPTER = "model.py", "artifacts/adapter.safetensors"
LABEL = "label"
CODE = '''"""Answers a table of texts with the adapter beside this file; needs tunebench."""

import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
from tunebench.errors import UserError
from tunebench.served.frames import answer, load


class AdapterModel(PythonModel):
    """A row of text columns in; its label and a probability for each class out."""

    def load_context(self, context):
        """Load backbone and adapter; model_config={"backbone": PLACE} says where the first is."""
        settings = context.model_config or {}
        self.predictor = load(context.artifacts["adapter"], settings.get("backbone"))

    def predict(self, context, model_input: pandas.DataFrame, params=None) -> pandas.DataFrame:
        """The answers, row by row."""
        try:
            return answer(self.predictor, model_input)
        except UserError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


set_model(AdapterModel())
'''


def write_description(folder: Path, logged: LoggedModel, metadata: AdapterMetadata) -> None:
    """Write everything but the adapter: what MLflow reads to load, to serve and to show a model.

    Args:
        folder: The model's artifacts.
        logged: What MLflow knows of it already.
        metadata: The header of the adapter.
    """
    description = _description(logged, metadata)
    write_whole(folder / SCRIPT, CODE.encode())
    for name, lines in _requirements().items():
        write_whole(folder / name, "".join(f"{line}\n" for line in lines).encode())
    write_whole(folder / "MLmodel", str(description.to_yaml()).encode())


def _description(logged: LoggedModel, metadata: AdapterMetadata) -> Model:
    """What `mlflow.pyfunc.save_model` would write of the script, without running it.

    Nothing of `mlflow.pyfunc` is imported here: that takes a second, and warns of MLflow's own
    type hints.
    """
    from mlflow.models import Model

    description = Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        signature=_signature(metadata),
    )
    description.add_flavor(
        "python_function",
        loader_module="mlflow.pyfunc.model",
        python_version=platform.python_version(),
        env={"virtualenv": "python_env.yaml"},
        model_code_path=SCRIPT,
        artifacts={"adapter": {"path": ADAPTER, "uri": ADAPTER}},
        streamable=False,
    )
    return description


def _signature(metadata: AdapterMetadata) -> ModelSignature:
    """The text columns that go in, and the columns of the answers."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, DataType, Schema, TensorSpec

    texts: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, name) for name in metadata.text]
    label = ColSpec(DataType.string if metadata.labels else DataType.double, LABEL)
    chances = [ColSpec(DataType.double, _probability(name)) for name in metadata.labels]
    return ModelSignature(Schema(texts), Schema([label, *chances]))


def _probability(name: str) -> str:
    """As `served.frames.probability_column`, which cannot be imported without torch."""
    return f"probability of {name}" if name == LABEL else name


def _requirements() -> dict[str, list[str]]:
    """File → lines: what an environment needs that is made for the model alone."""
    import mlflow

    needs = [f"tunebench=={__version__}", f"mlflow=={mlflow.__version__}"]
    environment = [f"python: {platform.python_version()}", "build_dependencies: []"]
    return {
        "requirements.txt": needs,
        "python_env.yaml": [*environment, "dependencies:", "- -r requirements.txt"],
    }
