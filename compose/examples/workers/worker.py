#!/usr/bin/env python3
"""A worker in Python without an SDK: TUTTI_URL, TUTTI_API_KEY, and python3 worker.py [QUEUE]."""
import json, os, sys, threading, urllib.error, urllib.request

URL = os.environ.get("TUTTI_URL", "http://127.0.0.1:8080")
KEY = os.environ["TUTTI_API_KEY"]
QUEUE = sys.argv[1] if len(sys.argv) > 1 else "words"

FUNCTIONS = {
    "worker.count": lambda given: {"count": len(given["text"].split())},
    "worker.shout": lambda given: {"text": given["text"].upper()},
}


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), method="POST", headers={
        "Authorization": "Bearer " + KEY, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.loads(answer.read() or b"null")


def do(job):
    mine = {"lease_token": job["lease_token"]}
    over = threading.Event()

    def beat():  # every third of a lease of 180 s
        while not over.wait(60):
            post(f"/v1/jobs/{job['id']}/heartbeat", mine)

    threading.Thread(target=beat, daemon=True).start()
    try:
        output = FUNCTIONS[job["function"]](job["input"])
        post(f"/v1/jobs/{job['id']}/complete", mine | {"output": output})
    except urllib.error.HTTPError as answer:
        if answer.code != 409:  # 409: the lease is lost, somebody else does it
            raise
    except Exception as problem:
        post(f"/v1/jobs/{job['id']}/fail", mine | {"error": {"detail": str(problem)}})
    finally:
        over.set()


while True:
    polled = post(f"/v1/queues/{QUEUE}/poll", {
        "worker": f"python-{os.getpid()}", "functions": list(FUNCTIONS), "wait": "30s"})
    for job in polled["jobs"] if polled else []:
        do(job)
