"""What rules and dashboards ask the edge's Envoy for is there."""

from tests.k8s.metrics import of_others

from .conftest import Edge


async def test_the_named_metrics_exist(edge: Edge) -> None:
    await edge.http.get("/api/v1/tweets/1", headers=edge.bearer())
    url = f"http://127.0.0.1:{edge.settings.metrics_port}/metrics"
    text = (await edge.http.get(url)).text
    served = {line.split("{")[0].split(" ")[0] for line in text.splitlines()}
    wanted = {name for name in of_others() if name.startswith("envoy_")}
    assert wanted
    assert wanted <= served, wanted - served
    assert 'envoy_http_downstream_rq_xx{envoy_response_code_class="2",' in text
    assert 'envoy_http_conn_manager_prefix="edge"' in text
