#include "tool-adapter/modules.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "tool-adapter/documents/documents.h"
#include "tool-adapter/embedding/llm_embedder.h"
#include "tool-adapter/memory/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700 };

struct modules {
    struct work_pool *document_pool, *memory_pool, *embed_pool;
    struct module documents, remembering;
    struct llm_embedder *embedder;
    struct embed_desk embed_desk;
    struct memory memory; /* its store is NULL: not here */
};

/* Nobody knows what is on the disk: what was not acknowledged comes again, to a new process. */
static void end_if_failed(struct module *module)
{
    const struct memory *memory = module->context;
    if (!memory_store_is_failed(memory->store)) return;
    log_write(LOG_ERROR, "memory.store_failed");
    _exit(PROCESS_EXIT_STORE_FAILED);
}

static status open_store(struct modules *modules, const struct options *options,
                         struct error *reterr)
{
    const char *path = options->memory_path;
    if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST) {
        return fail(reterr, STATUS_UNAVAILABLE, "tools.memory.path: %s: %m", path);
    }
    const struct memory_store_options store = {.path = path, .size_max = options->memory_size};
    return memory_store_open(&store, &modules->memory.store, reterr);
}

static status start_embedder(struct modules *modules, const struct options *options,
                             struct loop *loop, struct error *reterr)
{
    const struct rpc_identity identity = rpc_identity_of("tool-adapter", options->rpc.token.value,
                                                         options->rpc.token_previous.value);
    const struct rpc_tls tls           = {.ca_file       = options->rpc.ca_file,
                                          .cert_key_file = options->rpc.cert_key_file};
    TRY(llm_embedder_open(options->llm, &identity, &tls, &modules->embedder, reterr));
    TRY(work_pool_new(loop, MODULES_EMBED_THREADS, &modules->embed_pool, reterr));
    modules->embed_desk = (struct embed_desk){.embedder = llm_embedder_of(modules->embedder),
                                              .pool     = modules->embed_pool};
    return STATUS_OK;
}

static status start_memory(struct modules *modules, const struct options *options,
                           struct loop *loop, struct error *reterr)
{
    TRY(open_store(modules, options, reterr));
    TRY(work_pool_new(loop, MODULES_MEMORY_THREADS, &modules->memory_pool, reterr));
    modules->memory.embedder   = llm_embedder_of(modules->embedder);
    modules->memory.now_us     = clock_unix_us;
    modules->memory.slow_count = MEMORY_SLOW_COUNT;
    modules->remembering       = (struct module){.pool      = modules->memory_pool,
                                                 .functions = memory_functions,
                                                 .context   = &modules->memory,
                                                 .after     = end_if_failed};
    log_write(LOG_INFO, "memory.opened", LOG_TEXT_OF("path", options->memory_path));
    return STATUS_OK;
}

status modules_start(const struct options *options, struct loop *loop, struct modules **ret_modules,
                     struct error *reterr)
{
    CLEANUP(modules_stopp) struct modules *modules = mem_new(1, sizeof *modules);
    TRY(work_pool_new(loop, MODULES_DOCUMENT_THREADS, &modules->document_pool, reterr));
    modules->documents =
        (struct module){.pool = modules->document_pool, .functions = documents_functions};
    TRY(start_embedder(modules, options, loop, reterr));
    bool has_memory = options->memory_path && *options->memory_path;
    if (has_memory) TRY(start_memory(modules, options, loop, reterr));
    *ret_modules = TAKE(modules);
    return STATUS_OK;
}

void modules_stopp(struct modules **ref)
{
    struct modules *modules = *ref;
    if (!modules) return;
    module_stop(&modules->documents);
    module_stop(&modules->remembering);
    work_pool_freep(&modules->document_pool);
    work_pool_freep(&modules->memory_pool);
    work_pool_freep(&modules->embed_pool);
    llm_embedder_closep(&modules->embedder);
    memory_store_closep(&modules->memory.store);
    free(modules);
    *ref = NULL;
}

size_t modules_engines(struct modules *modules, struct engine ret_engines[MODULES_ENGINES_MAX])
{
    const struct engine engine = {
        .kind = REQUEST_BUILTIN, .start = module_start, .cancel = module_cancel};
    size_t count              = 0;
    ret_engines[count]        = engine;
    ret_engines[count].module = "documents";
    ret_engines[count++].self = &modules->documents;
    if (!modules->memory.store) return count;
    ret_engines[count]        = engine;
    ret_engines[count].module = "memory";
    ret_engines[count++].self = &modules->remembering;
    return count;
}

struct embed_desk *modules_embed_desk(struct modules *modules)
{
    return &modules->embed_desk;
}
