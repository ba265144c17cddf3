/* Commands to dead letters: redriving and dropping; and what a retry of a run does to its own. */
#include "base/assert.h"
#include "dead_letter.pb-c.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/deletion.h"
#include "scheduler/tables/dead_letters.h"

enum { LETTERS_PER_PIECE = 1'000 /* of a run that are dropped at a time */ };

/* What was found; lives as long as the turn. */
struct found {
    struct engine *engine;
    struct found_letter {
        struct found_letter *next;
        bytes key;
        const char *run, *task, *job;
    } * first;
    size_t count, count_max;
};

/* CANCELLED: these are enough, however many there are. */
static status note(bytes key, const Pb__DeadLetterRecord *row, struct error *reterr, void *context)
{
    struct found *found         = context;
    struct arena *arena         = found->engine->arena;
    struct found_letter *letter = arena_alloc(arena, sizeof *letter);
    char *copy                  = arena_strdup(arena, (str){key.ptr, key.len});
    if (!letter || !copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    *letter      = (struct found_letter){.next = found->first,
                                         .key  = {copy, key.len},
                                         .run  = text_in(arena, str_from(row->job->job->run)),
                                         .task = text_in(arena, str_from(row->job->job->task)),
                                         .job  = text_in(arena, str_from(row->job->job->id))};
    found->first = letter;
    return ++found->count == found->count_max ? STATUS_CANCELLED : STATUS_OK;
}

static status find(struct engine *engine, const struct letter_filter *filter, size_t count_max,
                   struct found *ret_found, struct error *reterr)
{
    *ret_found     = (struct found){.engine = engine, .count_max = count_max};
    status visited = letters_visit(engine->txn, filter, note, ret_found, reterr);
    return visited == STATUS_CANCELLED ? STATUS_OK : visited;
}

static status drop(struct engine *engine, const struct found_letter *letter, struct error *reterr)
{
    struct key_text namespace = {};
    struct key_text name      = {};
    bytes rest                = letter->key;
    bool is_key               = key_take_text(&rest, &namespace) && key_take_text(&rest, &name);
    if (!is_key) return fail(reterr, STATUS_DATA_LOSS, "table dead_letters: a key");
    struct queue *queue = job_queue_at(engine->queues, (str){namespace.data, namespace.len},
                                       (str){name.data, name.len});
    if (queue->dead_count > 0) queue->dead_count--;
    return letter_delete(engine->txn, letter->key, str_from(letter->run), str_from(letter->job),
                         reterr);
}

status engine_drop_letter_at(struct engine *engine, bytes key, const char *run, const char *job,
                             struct error *reterr)
{
    const struct found_letter letter = {.key = key, .run = run, .job = job};
    return drop(engine, &letter, reterr);
}

static struct letter_filter filter_of(const struct command *command, const char *queue,
                                      const char *job)
{
    return (struct letter_filter){
        .namespace = command->namespace, .queue = str_from(queue), .job = str_from(job)};
}

/* If its task waits for an operator, it has heard that the error stands. */
static status fail_paused(struct engine *engine, struct command *command,
                          const struct found_letter *letter, struct error *reterr)
{
    const Pb__DropDeadLetter *request = command->request;
    struct live_run *live             = NULL;
    const struct engine_retry failed  = {
         .run = letter->run, .task = "", .job = request->job, .by = request->by};
    TRY(engine_run(engine, str_from(letter->run), NULL, &live, reterr));
    if (!live || !run_is_paused_by(live->run, str_from(request->job))) return STATUS_OK;
    return engine_fail(engine, command, &failed, NULL, reterr);
}

status engine_drop_letter(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__DropDeadLetter *request = command->request;
    const struct letter_filter filter = filter_of(command, request->queue, request->job);
    struct found found                = {};
    engine_answer(engine, command);
    TRY(find(engine, &filter, 1, &found, reterr));
    if (!found.first) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "there is no dead letter %s in this queue", request->job);
    }
    TRY(drop(engine, found.first, reterr));
    return fail_paused(engine, command, found.first, reterr);
}

status engine_drop_letter_of(struct engine *engine, const struct event *event, struct error *reterr)
{
    const struct letter_filter filter = {.namespace = str_from("*"),
                                         .job       = str_from(event->id.text)};
    struct found found                = {};
    TRY(find(engine, &filter, 1, &found, reterr));
    return found.first ? drop(engine, found.first, reterr) : STATUS_OK;
}

status engine_drop_some_letters(struct engine *engine, str run, size_t count_max, size_t *ret_count,
                                struct error *reterr)
{
    const struct letter_filter filter = {.namespace = str_from("*"), .run = run};
    struct found found                = {};
    TRY(find(engine, &filter, count_max, &found, reterr));
    for (const struct found_letter *l = found.first; l; l = l->next) {
        TRY(drop(engine, l, reterr));
    }
    *ret_count = found.count;
    return STATUS_OK;
}

status engine_drop_letters_of(struct engine *engine, str run, struct error *reterr)
{
    size_t count = LETTERS_PER_PIECE;
    while (count == LETTERS_PER_PIECE) {
        TRY(engine_drop_some_letters(engine, run, LETTERS_PER_PIECE, &count, reterr));
    }
    return STATUS_OK;
}

status engine_shed_letters(struct engine *engine, str run, struct error *reterr)
{
    size_t count = 0;
    TRY(engine_drop_some_letters(engine, run, LETTERS_PER_PIECE, &count, reterr));
    return count < LETTERS_PER_PIECE ? STATUS_OK : engine_drop_letters_later(engine, run, reterr);
}

status engine_drop_letters_left(struct engine *engine, struct command *command, str run,
                                struct error *reterr)
{
    const struct letter_filter filter = {.namespace = str_from("*"), .run = run};
    struct found found                = {};
    if (command->code != STATUS_NOT_FOUND) return STATUS_OK;
    TRY(find(engine, &filter, 1, &found, reterr));
    if (!found.first) return STATUS_OK;
    command->code  = STATUS_OK;
    command->error = (struct error){};
    return engine_shed_letters(engine, run, reterr);
}

status engine_redrive_letter(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__RedriveDeadLetter *request = command->request;
    Pb__RedrivenDeadLetter *answer       = command->response;
    const struct letter_filter filter    = filter_of(command, request->queue, request->job);
    struct found found                   = {};
    engine_answer(engine, command);
    TRY(find(engine, &filter, 1, &found, reterr));
    if (!found.first) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "there is no dead letter %s in this queue", request->job);
    }
    Pb__RunView *row = NULL;
    bool is_gone     = !run_cache_find(&engine->cache, str_from(found.first->run)) &&
                   run_row_get(engine->txn, str_from(found.first->run), engine->arena, &row,
                               NULL) == STATUS_NOT_FOUND;
    if (is_gone) {
        return command_refuse(
            command, STATUS_FAILED_PRECONDITION, "nothing_to_retry",
            "run %s of this dead letter was deleted when its time was over: start "
            "a new run with what the letter holds, and drop it",
            found.first->run);
    }
    const struct engine_retry retry = {.run             = found.first->run,
                                       .task            = found.first->task,
                                       .job             = request->job,
                                       .by              = request->by,
                                       .is_answered_for = true};
    TRY(engine_retry(engine, command, &retry, NULL, reterr));
    if (command->code == STATUS_OK && answer) {
        answer->run = text_in(command->arena, str_from(found.first->run));
    }
    return STATUS_OK;
}

status engine_letters_upgrade(struct engine *engine, struct error *reterr)
{
    struct page page = {};
    bool is_done     = false;
    while (!is_done) {
        TRY(txn_begin_write(engine->store, &engine->txn, reterr));
        status written = letters_are_indexed(engine->txn, &is_done, reterr);
        if (written == STATUS_OK && !is_done) {
            written = letters_index_some(engine->txn, &page, &is_done, reterr);
        }
        if (written != STATUS_OK) {
            txn_abort(TAKE(engine->txn));
            return written;
        }
        TRY(txn_commit(TAKE(engine->txn), reterr));
    }
    return STATUS_OK;
}
