from workloads.galaxy.request_notes import request_notes


def test_notes_are_those_of_the_first_replica() -> None:
    planned = {
        "words": "hybrid.", "mode": "real devices, real links", "predicted_ns": 90.0, "bound_ns": 75.4,
        "memory_bytes": [10, 20], "check": "relative error 1e-7 against one device",
    }  # fmt: skip
    told = [
        {"replica": 0, "took_ns": [], "sent_bytes": 10.0, "planned": planned},
        {"replica": 0, "took_ns": [100, 300, 200], "sent_bytes": 5.5, "planned": None},
        {"replica": 1, "took_ns": [7], "sent_bytes": 999.0, "planned": planned},
    ]
    assert request_notes(told) == {
        "plan": "hybrid.",
        "mode": "real devices, real links",
        "predicted_ns": "90",
        "bound_ns": "75",
        "predicted_memory_bytes": "10 20",
        "link_bytes_per_request": "16",
        "check": "relative error 1e-7 against one device",
        "latency_p50_ns": "200",
        "latency_p95_ns": "300",
        "latency_p99_ns": "300",
        "measured_over_predicted": "2.222",
        "share_of_bound": "0.377",
    }
