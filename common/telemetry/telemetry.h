/**
 * telemetry: the admin port of a service: health for Kubernetes and people, metrics for Prometheus.
 *
 *   GET /health/live      200 while every watched loop has turned within 5 s; asks nobody else
 *   GET /health/ready     200 while the service wants calls, else 503 with the reason
 *   GET /health/startup   200 once the service has started (opened its store, loaded its manifests)
 *   GET /metrics          text format 0.0.4
 *
 * It listens on a loop and thread of its own, so it answers also while others are stuck; that is
 * the point of it. No authentication: bind it to loopback or to the monitoring network.
 *
 * Threads: all functions but start and stop are for any thread.
 */
#ifndef TELEMETRY_TELEMETRY_H
#define TELEMETRY_TELEMETRY_H

#include "base/status.h"
#include "loop/loop.h"
#include "telemetry/metrics.h"

#include <stdbool.h>
#include <stdint.h>

enum { TELEMETRY_WATCHES_MAX = 64, TELEMETRY_CONNECTIONS_MAX = 64 };

struct telemetry;

struct telemetry_options {
    const char *host;        /* numeric address */
    uint16_t port;           /* 0: any free one; telemetry_port() */
    const char *service;     /* "gateway"; shown in the answers */
    struct metrics *metrics; /* borrowed; outlives the listener */
};

/** Answers from now on: alive, not started, not ready. Owned: telemetry_stop(). Fails as
 * httpd_start() does. */
status telemetry_start(const struct telemetry_options *options, struct telemetry **ret_telemetry,
                       struct error *reterr);

/** Stops answering and frees. NULL is fine. */
void telemetry_stop(struct telemetry *telemetry);
void telemetry_stopp(struct telemetry **telemetry);

uint16_t telemetry_port(const struct telemetry *telemetry);

/** Says that start-up is over. */
void telemetry_set_started(struct telemetry *telemetry);

/** Says whether this process wants calls; `reason` is static text that a 503 shows: "waits for the
 * scheduler", "draining". */
void telemetry_set_ready(struct telemetry *telemetry, bool is_ready, const char *reason);
/** What an operator should know beside that, static text; NULL: nothing any more. Any thread. */
void telemetry_set_note(struct telemetry *telemetry, const char *note);

bool telemetry_is_ready(const struct telemetry *telemetry);

/** When a thread last turned, on clock_mono_ms(). Any thread calls it. */
typedef int64_t telemetry_turned_fn(void *context);

/** From now on /health/live asks `turned_ms`, which fails it if that was over LOOP_LIVE_MAX_MS ago.
 * `name` is static text. */
void telemetry_watch(struct telemetry *telemetry, const char *name, telemetry_turned_fn *turned_ms,
                     void *context);
void telemetry_watch_loop(struct telemetry *telemetry, const char *name, struct loop *loop);

/** Forgets what was watched with `context`. Before that is freed. */
void telemetry_unwatch(struct telemetry *telemetry, const void *context);

#endif
