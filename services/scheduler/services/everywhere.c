#include "scheduler/services/everywhere.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { ANSWER_MAX = 1 << 20 /* bytes: what one partition says beside its message */ };

/* Lives in the arena of the call, which is answered when the last command is done. */
struct round {
    struct rpc_call *call;
    struct everywhere what;
    atomic_uint pending; /* commands, and who posts them */
    struct part {
        struct command command; /* first */
        struct round *round;
    } * parts;
    struct arena **arenas; /* owned: one per part, since each engine is a thread */
    size_t count;
};

static const struct part *failed_part(const struct round *round)
{
    const struct part *missing = NULL;
    size_t missing_count       = 0;
    for (size_t i = 0; i < round->count; i++) {
        const struct part *part = &round->parts[i];
        if (part->command.code == STATUS_OK) continue;
        if (part->command.code != STATUS_NOT_FOUND || !round->what.tolerates_missing) return part;
        missing = part;
        missing_count++;
    }
    return missing_count == round->count ? missing : NULL;
}

static void done_with_all(struct round *round)
{
    struct rpc_call *call     = round->call;
    const struct part *failed = failed_part(round);
    call->is_replayed         = round->count > 0;
    for (size_t i = 0; i < round->count; i++) {
        call->is_replayed &= round->parts[i].command.is_replayed;
    }
    for (size_t i = 0; i < round->count && !failed; i++) {
        const struct command *command = &round->parts[i].command;
        if (command->code == STATUS_OK) round->what.add(call, command->response);
    }
    /* With the reply the round is gone, and what it says lies in these. */
    struct arena **arenas = round->arenas;
    size_t count          = round->count;
    if (failed) {
        rpc_reply(call, failed->command.code, &failed->command.error);
    } else {
        rpc_reply(call, STATUS_OK, NULL);
    }
    for (size_t i = 0; i < count; i++) arena_free(arenas[i]);
    free(arenas);
}

static void release(struct round *round)
{
    if (atomic_fetch_sub(&round->pending, 1) == 1) done_with_all(round);
}

static void on_done(struct command *command)
{
    release(((struct part *)command)->round);
}

static void post(struct round *round, struct shard *shard, ProtobufCMessage *answer)
{
    struct rpc_call *call         = round->call;
    struct arena *arena           = arena_new(ANSWER_MAX);
    struct part *part             = &round->parts[round->count];
    round->arenas[round->count++] = arena;
    *part                         = (struct part){
                                .round   = round,
                                .command = {.mail       = {.size_bytes = sizeof *part},
                                            .kind       = round->what.kind,
                                            .request    = call->request,
                                            .response   = answer,
                                            .arena      = arena,
                                            .request_id = call->request_id,
                                            .namespace  = round->what.namespace,
                                            .done       = on_done},
    };
    atomic_fetch_add(&round->pending, 1);
    struct error why = {};
    status posted    = engine_post(shard->engine, &part->command, &why);
    if (posted == STATUS_OK) return; /* the engine's from here on: it may be done already */
    part->command.code  = posted;
    part->command.error = why;
    release(round);
}

/* All memory of the call is taken before the first is posted: one may be done with all then. */
status everywhere_handle(struct rpc_call *call, const struct everywhere *what, struct error *reterr)
{
    const ProtobufCMessageDescriptor *type = ((const ProtobufCMessage *)call->response)->descriptor;
    uint16_t count                         = scheduler_partition_count(call->context);
    struct round *round                    = arena_alloc(call->arena, sizeof *round);
    char *answers                          = arena_alloc(call->arena, count * type->sizeof_message);
    struct part *parts                     = arena_alloc(call->arena, count * sizeof *parts);
    if (!round || !answers || !parts) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *round = (struct round){.call    = call,
                            .what    = *what,
                            .pending = 1,
                            .parts   = parts,
                            .arenas  = mem_new(count, sizeof(struct arena *))};
    for (uint16_t i = 0; i < count; i++) {
        struct shard *shard      = scheduler_shard(call->context, i);
        ProtobufCMessage *answer = (ProtobufCMessage *)(void *)(answers + i * type->sizeof_message);
        type->message_init(answer);
        if (shard) post(round, shard, answer);
    }
    release(round);
    return STATUS_OK;
}
