/*
 * `metadata.tutti` of a task and of the document. Foreign metadata is nobody's business here; in
 * ours every key is checked, and one that means nothing where it stands is refused (V30).
 */
#include "workflow/catalog.h"
#include "workflow/metadata_call.h"

#include "base/money.h"

#include <math.h>

enum {
    PRIORITY_MAX = 9,
    PARALLEL_MAX = 1'000,
    WEIGHT_MAX   = 1'000'000,
};

/* A billion dollars: what still fits nano-dollars with room. */
static const int64_t USD_NANOS_MAX = 1'000'000'000'000'000'000;

/* Says that a key belongs elsewhere. */
static void refuse_place(struct reader *reader, const char *key, const char *where)
{
    struct diagnostic *finding = refuse(reader, "V30", key_place(reader),
                                        "`%s` means nothing here: it belongs to %s", key, where);
    hint(reader, finding, "remove it, or put it there");
}

static bool is_kind(struct reader *reader, enum task_kind kind, const char *key, const char *where)
{
    if (reader->draft->task.kind == kind) return true;
    refuse_place(reader, key, where);
    return false;
}

static void priority_read(struct reader *reader, json value, void *target)
{
    int64_t priority;
    if (integer_read(reader, value, 0, PRIORITY_MAX, &priority)) {
        *(uint8_t *)target = (uint8_t)priority;
    }
}

/* --- approvals -------------------------------------------------------------------------------- */

/* A list of texts, any of them an expression; or one expression for the whole list. */
static void approvers_read(struct reader *reader, json value, void *target)
{
    if (!is_expression(value)) {
        if (!expect_kind(reader, value, JSON_ARRAY, "`approvers`")) return;
        for (size_t i = 0; i < json_count(value); i++) {
            size_t back = pointer_enter_index(reader, i);
            (void)expect_kind(reader, json_at(value, i), JSON_TEXT, "an approver");
            pointer_leave(reader, back);
        }
    }
    template_read(reader, value, target);
}

static void form_read(struct reader *reader, json value, void *target)
{
    if (expect_kind(reader, value, JSON_OBJECT, "`form`")) template_read(reader, value, target);
}

static const struct field approval_fields[] = {
    {"title", template_text_read, offsetof(struct approval_rule, title), REQUIRED},
    {"approvers", approvers_read, offsetof(struct approval_rule, approvers), OPTIONAL},
    {"form", form_read, offsetof(struct approval_rule, form), OPTIONAL},
    {"payload", template_map_read, offsetof(struct approval_rule, payload), OPTIONAL},
    {"editable", boolean_read, offsetof(struct approval_rule, is_editable), OPTIONAL},
};
static const struct object_kind approval_kind = {
    .what = "`approval`", .fields = approval_fields, .field_count = ARRAY_LEN(approval_fields)};

static const struct field agent_approval_fields[] = {
    {"title", template_text_read, offsetof(struct agent_approval, rule.title), OPTIONAL},
    {"approvers", approvers_read, offsetof(struct agent_approval, rule.approvers), OPTIONAL},
    {"form", form_read, offsetof(struct agent_approval, rule.form), OPTIONAL},
    {"editable", boolean_read, offsetof(struct agent_approval, rule.is_editable), OPTIONAL},
    {"timeout", span_read, offsetof(struct agent_approval, timeout), OPTIONAL},
};
static const struct object_kind agent_approval_kind = {
    .what        = "`approval` of a tool",
    .fields      = agent_approval_fields,
    .field_count = ARRAY_LEN(agent_approval_fields),
};

bool agent_approval_read(struct reader *reader, json value, struct agent_approval *target)
{
    return object_read(reader, &agent_approval_kind, value, target);
}

/* The `listen` of an approval waits for the one event that a decision is. */
static bool awaits_decision(const struct listen_body *listen)
{
    if (listen->to.mode != LISTEN_ONE || listen->to.filter_count != 1) return false;
    if (listen->foreach) return false;
    const struct event_filter *filter = &listen->to.filters[0];
    for (uint32_t i = 0; i < filter->attribute_count; i++) {
        const struct event_attribute *attribute = &filter->attributes[i];
        if (strcmp(attribute->name, "type") != 0) continue;
        return json_is(attribute->literal, JSON_TEXT) &&
               str_is(json_str(attribute->literal), "dev.tutti.approval.decided.v1");
    }
    return false;
}

static void approval_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (!is_kind(reader, TASK_LISTEN, "approval", "a `listen`")) return;
    if (!awaits_decision(&task->listen)) {
        struct diagnostic *finding =
            refuse(reader, "V30", key_place(reader),
                   "`approval` needs a `listen` to one event, the decision");
        hint(reader, finding, "`to: { one: { with: { type: dev.tutti.approval.decided.v1 } } }`");
    }
    struct approval_rule *approval = reader_alloc(reader, 1, sizeof *approval);
    if (!object_read(reader, &approval_kind, value, approval)) return;
    if (approval->is_editable && json_is(json_get_text(value, "payload"), JSON_INVALID)) {
        refuse(reader, "V30", value_place(reader), "`editable` means nothing without `payload`");
    }
    task->listen.approval = approval;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void parallel_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    int64_t count;
    if (!is_kind(reader, TASK_FOR, "parallel", "a `for`; branches at once are a `fork`")) return;
    if (integer_read(reader, value, 1, PARALLEL_MAX, &count)) {
        task->loop.parallel = (uint32_t)count;
    }
}

static void weight_read(struct reader *reader, json value, void *target)
{
    double weight = json_is_number(value) ? json_number(value) : 0;
    if (!(weight > 0 && weight <= WEIGHT_MAX)) {
        refuse(reader, "V06", value_place(reader), "`weight` is a number above 0, at most %d",
               WEIGHT_MAX);
        return;
    }
    *(double *)target = weight;
}

static void key_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (!is_kind(reader, TASK_CALL, "idempotencyKey", "a `call`")) return;
    template_expression_read(reader, value, &task->idempotency_key);
}

/* What waits does not fail by itself, and a `try` has its own: `catch.retry`. */
static bool may_retry(struct reader *reader)
{
    const struct task *task = &reader->draft->task;
    if (task->kind != TASK_TRY && task->kind != TASK_WAIT && task->kind != TASK_LISTEN) return true;
    struct diagnostic *finding =
        refuse(reader, "V30", key_place(reader), "`retry` means nothing on a `%s`",
               task->kind == TASK_TRY    ? "try"
               : task->kind == TASK_WAIT ? "wait"
                                         : "listen");
    hint(reader, finding, task->kind == TASK_TRY ? "`catch.retry`" : "put it into a `try`");
    return false;
}

static void own_retry_read(struct reader *reader, json value, void *target)
{
    struct task *task = target;
    if (!may_retry(reader)) return;
    const struct scope outer          = reader->scope;
    const struct scope_variable error = {.name = "error", .task = task->index, .kind = SCOPE_ERROR};
    task->has_own_retry               = true;
    if (json_is(value, JSON_TEXT) && str_is(json_str(value), "none")) return;
    if (task->kind == TASK_AGENT) {
        struct diagnostic *finding =
            warn(reader, "V43", key_place(reader),
                 "`retry` here enters the whole agent again; what its jobs answered stays");
        hint(reader, finding, "`with: { retry: … }` is for its turns and calls");
    }
    reader->scope = scope_extend(reader, &error, 1);
    retry_read(reader, value, &task->retry);
    reader->scope = outer;
}

static void phase_read(struct reader *reader, json value, void *target)
{
    if (json_is(value, JSON_TEXT) && holds_expression(value)) {
        struct diagnostic *finding = refuse(reader, "V05", value_place(reader),
                                            "an expression in `phase` is not supported yet");
        hint(reader, finding, "a plain text: `phase: Review`");
        return;
    }
    text_read(reader, value, target);
}

static const struct field task_fields[] = {
    {"parallel", parallel_read, 0, OPTIONAL},
    {"approval", approval_read, 0, OPTIONAL},
    {"phase", phase_read, offsetof(struct task, phase), OPTIONAL},
    {"weight", weight_read, offsetof(struct task, weight), OPTIONAL},
    {"priority", priority_read, offsetof(struct task, priority), OPTIONAL},
    {"idempotencyKey", key_read, 0, OPTIONAL},
    {"retry", own_retry_read, 0, OPTIONAL},
    {"saga", saga_read, 0, OPTIONAL},
    {"compensate", compensate_read, 0, OPTIONAL},
    {"queue", call_queue_read, 0, OPTIONAL},
    {"onOpen", on_open_read, 0, OPTIONAL},
    {"onExhausted", on_exhausted_read, 0, OPTIONAL},
    {"cache", cache_read, 0, OPTIONAL},
    {"limit", limit_read, 0, OPTIONAL},
    {"deadLetter", dead_letter_read, 0, OPTIONAL},
};
static const struct synonym task_synonyms[] = {
    {"concurrency", "parallel"},
    {"retries", "retry"},
    {"idempotency_key", "idempotencyKey"},
    {"dead_letter", "deadLetter"},
    {"compensation", "compensate"},
    {"undo", "compensate"},
    {"rollback", "compensate"},
    {},
};
static const struct object_kind task_kind_table = {
    .what        = "`metadata.tutti` of a task",
    .fields      = task_fields,
    .field_count = ARRAY_LEN(task_fields),
    .synonyms    = task_synonyms,
};

static void tutti_read(struct reader *reader, json metadata, const struct object_kind *kind,
                       void *target)
{
    if (!expect_kind(reader, metadata, JSON_OBJECT, "`metadata`")) return;
    json tutti = json_get_text(metadata, "tutti");
    if (json_is(tutti, JSON_INVALID)) return;
    size_t back = pointer_enter(reader, str_from("tutti"));
    (void)object_read(reader, kind, tutti, target);
    pointer_leave(reader, back);
}

void task_metadata_read(struct reader *reader, json value, void *target)
{
    tutti_read(reader, value, &task_kind_table, target);
}

/* --- the document ----------------------------------------------------------------------------- */

/* A number, or a text such as "0.50", which is read exactly. */
static void usd_read(struct reader *reader, json value, void *target)
{
    int64_t nanos = 0;
    if (json_is(value, JSON_TEXT)) {
        if (!money_parse(json_str(value), &nanos)) nanos = 0;
    } else if (json_is_number(value)) {
        double exact = json_number(value) * 1e9;
        if (exact > 0 && exact <= (double)USD_NANOS_MAX) nanos = llround(exact);
    }
    if (nanos < 1 || nanos > USD_NANOS_MAX) {
        refuse(reader, "V06", value_place(reader),
               "`usd` is an amount above 0, such as 5 or '0.50'");
        return;
    }
    *(int64_t *)target = nanos;
}

static void tokens_read(struct reader *reader, json value, void *target)
{
    int64_t tokens;
    if (integer_read(reader, value, 1, INT64_MAX, &tokens)) *(int64_t *)target = tokens;
}

static const struct field budget_fields[] = {
    {"usd", usd_read, offsetof(struct workflow_budget, usd_nanos), OPTIONAL},
    {"tokens", tokens_read, offsetof(struct workflow_budget, tokens), OPTIONAL},
};
static const struct object_kind budget_kind = {
    .what = "`budget`", .fields = budget_fields, .field_count = ARRAY_LEN(budget_fields)};

static void budget_read(struct reader *reader, json value, void *target)
{
    if (object_read(reader, &budget_kind, value, target) && json_count(value) == 0) {
        refuse(reader, "V06", value_place(reader), "`budget` needs `usd` or `tokens`");
    }
}

static const struct field document_fields[] = {
    {"priority", priority_read, offsetof(struct workflow, priority), OPTIONAL},
    {"budget", budget_read, offsetof(struct workflow, budget), OPTIONAL},
    {"idempotencyKey", template_expression_read, offsetof(struct workflow, idempotency_key),
     PLACE_START_KEY},
    {"saga", boolean_read, offsetof(struct workflow, is_saga), OPTIONAL},
    {"limit", document_limit_read, 0, OPTIONAL},
};
static const struct object_kind document_kind = {
    .what        = "`metadata.tutti` of the document",
    .fields      = document_fields,
    .field_count = ARRAY_LEN(document_fields),
};

void document_metadata_read(struct reader *reader, json value, void *target)
{
    tutti_read(reader, value, &document_kind, target);
}
