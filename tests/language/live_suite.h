/**
 * live_suite: a suite that `tutti up` started, and who stands in for the world around it: a server
 * for all hosts and models that features name, and a worker for their functions.
 */
#ifndef LANGUAGE_LIVE_SUITE_H
#define LANGUAGE_LIVE_SUITE_H

#include "language/backend.h"
#include "language/standin_server.h"
#include "language/standin_worker.h"
#include "language/suite.h"
#include "language/tls_front.h"

struct live_suite {
    struct suite suite;
    struct standin_server *standin;
    struct standin_worker *worker;
    struct tls_front front;
};

/** Writes its configuration and starts all of it; `live` is zeroed. What has been started when it
 * fails is ended by live_suite_done(), too. UNAVAILABLE. */
status live_suite_start(struct live_suite *live, const struct http_backend_options *options,
                        struct script *script, struct error *reterr);

/** Stops the suite as an operator does. Fails as suite_stop(). */
status live_suite_stop(struct live_suite *live, struct error *reterr);

/** Ends all of it, and removes the folder. */
void live_suite_done(struct live_suite *live);

#endif
