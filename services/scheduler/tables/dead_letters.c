#include "scheduler/tables/dead_letters.h"

#include "scheduler/tables/run_wire.h"

enum { ROW_ARENA_MAX = 80 << 20 /* bytes: the largest row */ };

const char *letter_error_type(const Pb__DeadLetterRecord *row, struct arena *arena)
{
    CLEANUP(json_unrefp) json error = json_invalid();
    if (json_out(row->error_json, "error", &error, NULL) != STATUS_OK) return "";
    json type = json_get_text(error, "type");
    return json_is(type, JSON_TEXT) ? text_in(arena, json_str(type)) : "";
}

static bool is_text(str wanted, const char *text)
{
    return wanted.len == 0 || str_is(wanted, text);
}

bool letter_is_meant(const struct letter_filter *filter, const Pb__DeadLetterRecord *row,
                     struct arena *arena)
{
    const Pb__LeasedJob *job = row->job->job;
    bool is_any              = filter->namespace.len == 0 || str_is(filter->namespace, "*");
    if (!is_any && !is_text(filter->namespace, job->namespace_)) return false;
    if (!is_text(filter->job, job->id) || !is_text(filter->run, job->run)) return false;
    if (!is_text(filter->function, job->function)) return false;
    return filter->error_type.len == 0 || str_is(filter->error_type, letter_error_type(row, arena));
}

/* The queue in which it lies: the second part of the key. */
static bool is_in_queue(bytes key, str queue)
{
    struct key_text namespace = {};
    struct key_text name      = {};
    if (queue.len == 0) return true;
    return key_take_text(&key, &namespace) && key_take_text(&key, &name) &&
           str_equal((str){name.data, name.len}, queue);
}

status letters_visit(struct txn *txn, const struct letter_filter *filter, letter_visit *visit,
                     void *context, struct error *reterr)
{
    CLEANUP(arena_freep) struct arena *arena     = arena_new(ROW_ARENA_MAX);
    CLEANUP(cursor_closep) struct cursor *cursor = NULL;
    const struct scan scan                       = {};
    if (!arena) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    TRY(cursor_open(txn, TABLE_DEAD_LETTERS, &scan, &cursor, reterr));
    for (int i = 0; i < DEAD_LETTERS_MAX; i++) {
        bytes key   = {};
        bytes raw   = {};
        status next = cursor_next(cursor, &key, &raw, NULL);
        if (next == STATUS_NOT_FOUND) break;
        if (next != STATUS_OK) return fail(reterr, next, "dead letters cannot be read");
        if (!is_in_queue(key, filter->queue)) continue;

        Pb__DeadLetterRecord *row = NULL;
        arena_clear(arena);
        TRY(record_read(raw, &pb__dead_letter_record__descriptor, arena, &row, reterr));
        if (!row->job || !row->job->job) continue;
        if (letter_is_meant(filter, row, arena)) TRY(visit(key, row, reterr, context));
    }
    return STATUS_OK;
}
