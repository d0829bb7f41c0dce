"""tritonclient, unmodified, against the runtime that serves test/runtime/fixtures/identity.onnx."""

import asyncio
import os

import numpy as np
import pytest
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

HTTP, GRPC = os.environ["RUNTIME_HTTP"], os.environ["RUNTIME_GRPC"]
ROWS = {
    "bool": ("BOOL", np.array([[True, False]])),
    "int8": ("INT8", np.array([[-128, 127]], np.int8)),
    "int16": ("INT16", np.array([[-(2**15), 2**15 - 1]], np.int16)),
    "int32": ("INT32", np.array([[-(2**31), 2**31 - 1]], np.int32)),
    "int64": ("INT64", np.array([[-(2**53) + 1, 2**53 - 1]], np.int64)),
    "uint8": ("UINT8", np.array([[0, 255]], np.uint8)),
    "uint16": ("UINT16", np.array([[0, 2**16 - 1]], np.uint16)),
    "uint32": ("UINT32", np.array([[0, 2**32 - 1]], np.uint32)),
    "uint64": ("UINT64", np.array([[0, 2**53 - 1]], np.uint64)),
    "float": ("FP32", np.array([[0.5, -2]], np.float32)),
    "double": ("FP64", np.array([[0.1, 1e300]], np.float64)),
    "string": ("BYTES", np.array([["", "süß"]], object)),
}


def inputs(library, **form):
    tensors = []
    for name, (datatype, row) in ROWS.items():
        tensor = library.InferInput(f"in_{name}", row.shape, datatype)
        tensor.set_data_from_numpy(row, **form)
        tensors.append(tensor)
    return tensors


def check(result):
    for name, (_, row) in ROWS.items():
        answered = result.as_numpy(f"out_{name}")
        if name == "string":
            row = np.array([[text.encode() for text in row[0]]], object)
            answered = np.array([[text.encode() if isinstance(text, str) else text for text in answered[0]]], object)
        np.testing.assert_array_equal(answered, row)


def clients():
    return [(http, http.InferenceServerClient(HTTP)), (grpc, grpc.InferenceServerClient(GRPC))]


@pytest.mark.parametrize("library, client", clients())
def test_health_and_metadata(library, client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("model") and client.is_model_ready("model", "7")
    assert not client.is_model_ready("another")
    as_json = {} if library is http else {"as_json": True}
    assert client.get_server_metadata(**as_json)["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("model", "7", **as_json)
    assert metadata["versions"] == ["7"] and metadata["platform"] == "onnx_onnxv1"
    assert [tensor["datatype"] for tensor in metadata["inputs"]] == [datatype for datatype, _ in ROWS.values()]


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("answered", [True, False])
def test_http_in_both_forms(sent, answered):
    outputs = [http.InferRequestedOutput(f"out_{name}", binary_data=answered) for name in ROWS]
    with http.InferenceServerClient(HTTP) as client:
        result = client.infer("model", inputs(http, binary_data=sent), "7", outputs, request_id="a 1")
        check(result)
        assert result.get_response()["id"] == "a 1"


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_http_compressed(compression):
    with http.InferenceServerClient(HTTP) as client:
        check(
            client.infer(
                "model",
                inputs(http),
                request_compression_algorithm=compression,
                response_compression_algorithm=compression,
            )
        )


def test_http_concurrently():
    with http.InferenceServerClient(HTTP, concurrency=8) as client:
        for request in [client.async_infer("model", inputs(http)) for _ in range(100)]:
            check(request.get_result())


def test_http_asyncio():
    async def run():
        async with http_aio.InferenceServerClient(HTTP) as client:
            for result in await asyncio.gather(*[client.infer("model", inputs(http)) for _ in range(50)]):
                check(result)

    asyncio.run(run())


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_grpc(compression):
    with grpc.InferenceServerClient(GRPC) as client:
        outputs = [grpc.InferRequestedOutput(f"out_{name}") for name in ROWS]
        parameters = {"caller": "test", "attempt": 1, "urgent": True}
        result = client.infer(
            "model",
            inputs(grpc),
            "7",
            outputs,
            request_id="7",
            parameters=parameters,
            compression_algorithm=compression,
            client_timeout=10,
        )
        check(result)
        assert result.get_response().id == "7"
        assert result.get_response().parameters["model_variant"].string_param == "default"


def test_grpc_asyncio():
    async def run():
        async with grpc_aio.InferenceServerClient(GRPC) as client:
            for result in await asyncio.gather(*[client.infer("model", inputs(grpc)) for _ in range(100)]):
                check(result)

    asyncio.run(run())


@pytest.mark.parametrize("library, client", clients())
@pytest.mark.parametrize(
    "model, version, change, message, code",
    [
        ("model", "", lambda tensors: tensors[1:], "in_bool is missing", "INVALID_ARGUMENT"),
        ("another", "", lambda tensors: tensors, "this server has model model version 7 only", "NOT_FOUND"),
        ("model", "8", lambda tensors: tensors, "this server has model model version 7 only", "NOT_FOUND"),
    ],
)
def test_errors(library, client, model, version, change, message, code):
    with pytest.raises(InferenceServerException, match=message) as error:
        client.infer(model, change(inputs(library)), version)
    if library is grpc:
        assert error.value.status() == f"StatusCode.{code}"
