/* Dead letters whose time is over. */
#include "base/log.h"
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/redrive/redrive.h"
#include "scheduler/engine/removal/retention.h"
#include "scheduler/tables/dead_letters.h"

/* What a look found; lives as long as the turn. */
struct over {
    struct letter {
        bytes key;
        const char *run, *job;
    } letters[RETENTION_LETTERS];
    size_t count;
};

/* Its run may wait for what is done about the letter. */
static status is_needed(struct engine *engine, const char *run, bool *ret_needed,
                        struct error *reterr)
{
    Pb__RunView *row  = NULL;
    Pb__RunHead *head = NULL;
    *ret_needed       = false;
    if (!id_is_valid(str_from(run))) return STATUS_OK;
    if (run_cache_find(&engine->cache, str_from(run))) {
        *ret_needed = true; /* it moves just now: another time */
        return STATUS_OK;
    }
    status got = run_rows_get(engine->txn, str_from(run), engine->arena, &row, &head, reterr);
    if (got == STATUS_NOT_FOUND) return STATUS_OK;
    *ret_needed = got != STATUS_OK || !run_status_wire_is_final(row->status);
    return got == STATUS_DATA_LOSS ? STATUS_OK : got;
}

/* On to the next queue: what lies behind in this one is younger. */
static void pass_queue(struct page *page)
{
    struct key_text namespace = {};
    struct key_text name      = {};
    bytes key                 = {page->key, page->key_len};
    if (!key_take_text(&key, &namespace) || !key_take_text(&key, &name)) return;
    struct key last;
    dead_letter_key(&last, (str){namespace.data, namespace.len}, (str){name.data, name.len},
                    UINT64_MAX);
    page->key_len = key_bytes(&last).len;
    memcpy(page->key, key_bytes(&last).ptr, page->key_len);
}

/* `*ret_young`: neither this letter is old enough nor those behind it. */
static status look(struct engine *engine, bytes key, bytes raw, struct over *over, bool *ret_young,
                   struct error *reterr)
{
    Pb__DeadLetterRecord *row = NULL;
    struct error why          = {};
    bool is_needed_yet        = false;
    *ret_young                = false;
    status read = record_read(raw, &pb__dead_letter_record__descriptor, engine->arena, &row, &why);
    if (read != STATUS_OK || !row->job || !row->job->job) {
        log_write(LOG_WARN, "retention.letter_kept", LOG_TEXT_OF("error", why.text));
        return STATUS_OK;
    }
    *ret_young = row->time_us > engine->now_us - engine->options.retention->letters_keep_us;
    if (*ret_young) return STATUS_OK;
    TRY(is_needed(engine, row->job->job->run, &is_needed_yet, reterr));
    if (is_needed_yet) return STATUS_OK;
    char *copy = arena_strdup(engine->arena, (str){key.ptr, key.len});
    if (!copy) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    over->letters[over->count++] =
        (struct letter){{copy, key.len}, row->job->job->run, row->job->job->id};
    return STATUS_OK;
}

static status look_at_page(struct engine *engine, struct over *over, bool *ret_done,
                           struct error *reterr)
{
    struct page *page = &engine->retention.letters;
    for (int i = 0; i < RETENTION_LETTERS; i++) {
        CLEANUP(cursor_closep) struct cursor *cursor = NULL;
        const struct scan scan                       = {.after = {page->key, page->key_len}};
        bytes key                                    = {};
        bytes raw                                    = {};
        bool is_young                                = false;
        TRY(cursor_open(engine->txn, TABLE_DEAD_LETTERS, &scan, &cursor, reterr));
        status next = cursor_next(cursor, &key, &raw, NULL);
        *ret_done   = next == STATUS_NOT_FOUND;
        if (*ret_done) {
            page->key_len = 0;
            return STATUS_OK;
        }
        if (next != STATUS_OK) return fail(reterr, next, "dead letters cannot be read");
        TRY(look(engine, key, raw, over, &is_young, reterr));
        memcpy(page->key, key.ptr, key.len);
        page->key_len = key.len;
        if (is_young) pass_queue(page);
    }
    return STATUS_OK;
}

status engine_letters_sweep(struct engine *engine, bool *ret_done, struct error *reterr)
{
    struct over over = {};
    *ret_done        = engine->options.retention->letters_keep_us == RETENTION_FOR_EVER_US;
    if (*ret_done) return STATUS_OK;
    TRY(look_at_page(engine, &over, ret_done, reterr));
    for (size_t i = 0; i < over.count; i++) {
        const struct letter *letter = &over.letters[i];
        TRY(engine_drop_letter_at(engine, letter->key, letter->run, letter->job, reterr));
    }
    return STATUS_OK;
}
