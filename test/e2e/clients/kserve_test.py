"""kserve's inference clients, unmodified, against the runtime that serves test/runtime/fixtures/identity.onnx."""

import asyncio
import os

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

HTTP, GRPC = os.environ["RUNTIME_HTTP"], os.environ["RUNTIME_GRPC"]
NUMBERS = {
    "bool": ("BOOL", bool),
    "int8": ("INT8", np.int8),
    "int16": ("INT16", np.int16),
    "int32": ("INT32", np.int32),
    "int64": ("INT64", np.int64),
    "uint8": ("UINT8", np.uint8),
    "uint16": ("UINT16", np.uint16),
    "uint32": ("UINT32", np.uint32),
    "uint64": ("UINT64", np.uint64),
    "float": ("FP32", np.float32),
    "double": ("FP64", np.float64),
}


def request(binary):
    tensors = []
    for name, (datatype, dtype) in NUMBERS.items():
        tensor = InferInput(f"in_{name}", [1, 2], datatype)
        tensor.set_data_from_numpy(np.array([[1, 0]], dtype), binary_data=binary)
        tensors.append(tensor)
    texts = InferInput("in_string", [1, 2], "BYTES")
    texts.set_data_from_numpy(np.array([["a", "süß"]], object), binary_data=binary)
    return InferRequest(model_name="model", infer_inputs=[*tensors, texts], request_id="42")


def check(response):
    assert response.id == "42"
    for output in response.outputs:
        expected = ["a", "süß"] if output.name == "out_string" else [1, 0]
        answered = [value.decode() if isinstance(value, bytes) else value for value in output.as_numpy().ravel()]
        assert answered == expected, output.name


def test_rest():
    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        base = f"http://{HTTP}"
        assert await client.is_server_live(base) and await client.is_server_ready(base)
        assert await client.is_model_ready(base, "model")
        for binary in (False, True):
            check(await client.infer(base, request(binary), model_name="model"))
        await client.close()

    asyncio.run(run())


def test_grpc():
    async def run():
        client = InferenceGRPCClient(url=GRPC)
        assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready("model")
        for binary in (False, True):
            check(await client.infer(request(binary)))
        await client.close()

    asyncio.run(run())


def test_v1():
    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v1"))
        answer = await client.infer(f"http://{os.environ['LOAN_HTTP']}", {"instances": [[34, 52000.5, 700]]}, model_name="loan")
        assert answer["predictions"][0] in ("approved", "rejected")
        assert await client.is_model_ready(f"http://{os.environ['LOAN_HTTP']}", "loan")
        await client.close()

    asyncio.run(run())
