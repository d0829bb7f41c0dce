"""What grpcurl, Kubernetes and load balancers use: reflection and health."""

import os

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

GRPC = os.environ["RUNTIME_GRPC"]


def test_reflection_describes_every_service():
    with grpc.insecure_channel(GRPC) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == {
            "inference.GRPCInferenceService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        pool = DescriptorPool(database)
        for name in database.get_services():
            assert pool.FindServiceByName(name).methods
        request = pool.FindServiceByName("inference.GRPCInferenceService").methods_by_name["ModelInfer"].input_type
        parameters = request.fields_by_name["parameters"].message_type
        assert parameters.GetOptions().map_entry
        assert parameters.fields_by_name["value"].message_type.oneofs_by_name["parameter_choice"].fields
        status = pool.FindMessageTypeByName("grpc.health.v1.HealthCheckResponse").enum_types_by_name["ServingStatus"]
        assert status.values_by_name["SERVING"].number == 1


def test_health():
    with grpc.insecure_channel(GRPC) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "inference.GRPCInferenceService"):
            request = health_pb2.HealthCheckRequest(service=service)
            assert stub.Check(request).status == health_pb2.HealthCheckResponse.SERVING
            watch = stub.Watch(request)
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            watch.cancel()
        try:
            stub.Check(health_pb2.HealthCheckRequest(service="other"))
            raise AssertionError("another service has a health")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
