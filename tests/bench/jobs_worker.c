/*
 * A worker that does nothing, as fast as it can: leases the jobs of `tools` as the tool-adapter
 * does, over the same socket, and completes each at once with the same small output. What remains
 * is what the suite itself costs per job.
 *
 *     jobs_worker ENDPOINT        of the scheduler, such as abstract://name; ends with SIGTERM
 *     jobs_worker ENDPOINT FILE   leases nothing, and registers the functions of a YAML list
 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/process.h"
#include "function.pb-c.h"
#include "rpc/rpc_threads.h"
#include "system.pb-c.h"
#include "worker/worker.h"
#include "yaml/yaml.h"
#include "json/json_text.h"

#include <stdio.h>
#include <unistd.h>

enum { LEASE_MS = 60'000, FUNCTIONS_MAX = 200, FILE_SIZE_MAX = 1 << 20 /* bytes */ };

#define QUEUE_NOBODY "tools.nobody"

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

/* --- functions ---------------------------------------------------------------------------------
 */

static status text_read(const char *path, struct buf *text, struct error *reterr)
{
    char part[4'096];
    size_t size = 0;
    FILE *file  = fopen(path, "re");
    if (!file) return fail(reterr, STATUS_NOT_FOUND, "%s cannot be read", path);
    while ((size = fread(part, 1, sizeof part, file)) > 0) (void)buf_put(text, part, size);
    (void)fclose(file);
    return STATUS_OK;
}

/* Each as JSON of version 1.0.0 in a queue of its own, if it says no other. The texts live as long
 * as the program. */
static status functions_read(const char *path, const char *ret_texts[static FUNCTIONS_MAX + 1],
                             struct error *reterr)
{
    CLEANUP(buf_done) struct buf text                  = buf_init(FILE_SIZE_MAX);
    CLEANUP(yaml_freep) struct yaml_document *document = NULL;
    TRY(text_read(path, &text, reterr));
    TRY(yaml_parse(buf_str(&text), NULL, &document, reterr));
    json list = yaml_root(document);
    for (size_t i = 0; i < json_count(list) && i < FUNCTIONS_MAX; i++) {
        CLEANUP(json_unrefp) json one = json_ref(json_at(list, i));
        if (json_get_text(one, "version").kind == JSON_INVALID) {
            json_object_put_text(&one, "version", json_text_from("1.0.0"));
        }
        if (json_get_text(one, "queue").kind == JSON_INVALID) {
            json_object_put_text(&one, "queue", json_text_from(QUEUE_NOBODY));
        }
        CLEANUP(buf_done) struct buf printed = buf_init(FILE_SIZE_MAX);
        if (!json_print(one, JSON_COMPACT, &printed)) break;
        ret_texts[i] = mem_dup(printed.ptr, printed.len);
    }
    return STATUS_OK;
}

static status serve(const char *endpoint, const char *catalog, struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {
        &pb__jobs__descriptor, &pb__system__descriptor, &pb__functions__descriptor, NULL};
    const char *const queues[]           = {catalog ? "tools.idle" : "tools", NULL};
    const char *texts[FUNCTIONS_MAX + 1] = {};
    if (catalog) TRY(functions_read(catalog, texts, reterr));
    struct loop *loop            = NULL;
    struct rpc_client *scheduler = NULL;
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
                                           .functions = catalog ? texts : NULL,
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
    if (argc != 2 && argc != 3) {
        (void)fprintf(stderr, "usage: jobs_worker ENDPOINT [FILE]\n");
        return 2;
    }
    status code = process_block_signals(&error);
    (void)rpc_threads_rest();
    if (code == STATUS_OK) code = serve(argv[1], argc == 3 ? argv[2] : NULL, &error);
    if (code != STATUS_OK) (void)fprintf(stderr, "jobs_worker: %s\n", error.text);
    return code != STATUS_OK;
}
