/* `metadata.tutti` of a call: which queue its jobs wait in, where they lie when they are given up,
 * and how long an answer is kept for others. */
#include "workflow/metadata_call.h"

#include "workflow/catalog.h"

enum { QUEUE_NAME_MAX = 63 };

static bool is_job(const struct task *task)
{
    return task->kind == TASK_CALL && task->call.by == CALL_JOB;
}

static void refuse_place(struct reader *reader, const char *key)
{
    struct diagnostic *finding =
        refuse(reader, "V30", key_place(reader),
               "`%s` means nothing here: it belongs to a `call` that makes a job", key);
    hint(reader, finding, "remove it, or put it there");
}

/* --- queues ------------------------------------------------------------------------------------
 */

/* Names as in the HTTP API: a DNS label; only tutti's own queues hold a dot. */
static bool is_queue_name(str name)
{
    bool is_fine = name.len > 0 && name.len <= QUEUE_NAME_MAX;
    for (size_t i = 0; is_fine && i < name.len; i++) {
        char c  = name.ptr[i];
        is_fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (c == '-' && (i == 0 || i + 1 == name.len)) return false;
    }
    return is_fine;
}

static bool is_suite_queue(str name)
{
    static const char *const own[] = {"tools", "llm"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (!str_starts_with(name, str_from(own[i]))) continue;
        str rest = str_slice(name, strlen(own[i]), name.len);
        if (rest.len == 0) return true;
        if (rest.ptr[0] == '.') return is_queue_name(str_slice(rest, 1, rest.len));
    }
    return false;
}

static void name_read(struct reader *reader, json value, void *target)
{
    const char *text = NULL;
    text_read(reader, value, &text);
    if (!text) return;
    if (is_queue_name(str_from(text)) || is_suite_queue(str_from(text))) {
        *(const char **)target = text;
        return;
    }
    struct diagnostic *finding =
        refuse(reader, "V06", value_place(reader), "`" STR_FMT "` is no name of a queue",
               STR_ARG(shown(str_from(text))));
    hint(reader, finding, "small letters, digits and `-`, at most 63");
}

void call_queue_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    const char *name  = NULL;
    if (!is_job(task)) {
        refuse_place(reader, "queue");
        return;
    }
    name_read(reader, value, &name);
    if (!name) return;
    const struct function *function = reader->draft->function;
    if (function && function->is_own_worker && is_suite_queue(str_from(name))) {
        refuse(reader, "V30", value_place(reader),
               "the queue `%s` is for tutti's own workers, not for `%s`", name, function->name);
        return;
    }
    task->call.queue = name;
}

static const struct field letter_fields[] = {
    {"queue", name_read, offsetof(struct task, call.dead_letter_queue), REQUIRED},
};
static const struct object_kind letter_kind = {
    .what = "`deadLetter`", .fields = letter_fields, .field_count = ARRAY_LEN(letter_fields)};

void dead_letter_read(struct reader *reader, json value, void *target)
{
    if (is_job(target)) {
        (void)object_read(reader, &letter_kind, value, target);
    } else {
        refuse_place(reader, "deadLetter");
    }
}

/* --- circuit breakers --------------------------------------------------------------------------
 */

/* `hold` is the default: what waits for a breaker burns no attempt. */
void on_open_read(struct reader *reader, json value, void *target)
{
    static const char *const words[] = {"hold", "fail"};
    struct task *task                = target;
    size_t index                     = 0;
    if (!is_job(task)) {
        refuse_place(reader, "onOpen");
        return;
    }
    if (choice_read(reader, value, words, ARRAY_LEN(words), &index)) {
        task->call.fails_on_open = index == 1;
    }
}

/* --- attempts ----------------------------------------------------------------------------------
 */

/* `fault` is the default: the error of the last attempt is the task's. */
void on_exhausted_read(struct reader *reader, json value, void *target)
{
    static const char *const words[] = {"fault", "pause"};
    struct task *task                = target;
    size_t index                     = 0;
    if (!is_job(task)) {
        refuse_place(reader, "onExhausted");
        return;
    }
    if (!choice_read(reader, value, words, ARRAY_LEN(words), &index)) return;
    if (index == 1 && task->is_compensation) {
        struct diagnostic *finding =
            refuse(reader, "V30", value_place(reader),
                   "`onExhausted: pause` means nothing in a compensation: one that keeps failing "
                   "is a dead letter, and the others go on");
        hint(reader, finding, "remove it");
        return;
    }
    task->call.pauses = index == 1;
}
