/*
 * A worker that does nothing, as fast as it can: leases the jobs of `tools` as the tool-adapter
 * does, over the same socket, and completes each at once with the same small output. What remains
 * is what the suite itself costs per job.
 *
 *     jobs_worker ENDPOINT        of the scheduler, such as abstract://name; ends with SIGTERM
 */
#include "base/mem.h"
#include "base/process.h"
#include "system.pb-c.h"
#include "worker/worker.h"

#include <stdio.h>
#include <unistd.h>

enum { LEASE_MS = 60'000 };

static char output_json[] = "{\"result\":\"done\"}";

static void complete(struct worker_job *job, void *)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json =
        (ProtobufCBinaryData){.data = (uint8_t *)output_json, .len = sizeof output_json - 1};
    worker_complete(job, &completed);
}

static void cancel(struct worker_job *, void *)
{
    /* Every job is over before anybody can ask for its end. */
}

static void say_ready(void *)
{
    (void)printf("ready\n");
    (void)fflush(stdout);
}

static status serve(const char *endpoint, struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__jobs__descriptor,
                                                                 &pb__system__descriptor, NULL};
    static const char *const queues[]                         = {"tools", NULL};
    struct loop *loop                                         = NULL;
    struct rpc_client *scheduler                              = NULL;
    TRY(loop_new(NULL, &loop, reterr));
    const struct rpc_client_options client = {.endpoints = endpoint,
                                              .choice    = RPC_OWNER,
                                              .services  = services,
                                              .identity  = {.service = str_from("tool-adapter")}};
    TRY(rpc_client_open(&client, &scheduler, reterr));
    const struct worker_options options = {.loop      = loop,
                                           .scheduler = scheduler,
                                           .queues    = queues,
                                           .name      = "jobs_worker",
                                           .kind      = "tools",
                                           .slots     = WORKER_SLOTS_MAX,
                                           .lease_ms  = LEASE_MS,
                                           .run       = complete,
                                           .cancel    = cancel,
                                           .ready     = say_ready};
    struct worker *worker               = worker_new(&options);
    TRY(loop_start(loop, "jobs", reterr));
    status stopped = process_wait_for_stop(reterr);

    loop_stop(loop);
    loop_join(loop);
    rpc_client_closep(&scheduler);
    loop_turn(loop, 0); /* answers that came after its end */
    worker_freep(&worker);
    loop_freep(&loop);
    return stopped;
}

int main(int argc, char **argv)
{
    struct error error = {};
    if (argc != 2) {
        (void)fprintf(stderr, "usage: jobs_worker ENDPOINT\n");
        return 2;
    }
    status code = process_block_signals(&error);
    if (code == STATUS_OK) code = serve(argv[1], &error);
    if (code != STATUS_OK) (void)fprintf(stderr, "jobs_worker: %s\n", error.text);
    return code != STATUS_OK;
}
