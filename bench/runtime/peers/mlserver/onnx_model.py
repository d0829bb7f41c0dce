"""An ONNX model by MLServer, as its guide to custom runtimes says: decode, run ONNX Runtime, encode.

The folder or file of `uri` is served; a preprocessor.onnx beside the model runs first.
"""

import os
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        uri = Path(self.settings.parameters.uri)
        files = [uri] if uri.is_file() else [uri / "preprocessor.onnx", uri / "model.onnx"]
        self._sessions = [
            onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]) for file in files
        ]
        self._outputs = [output.name for output in self._sessions[-1].get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensors = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        for session in self._sessions:
            names = [output.name for output in session.get_outputs()]
            tensors = dict(zip(names, session.run(names, tensors)))
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name, tensors[name]) for name in self._outputs],
        )
