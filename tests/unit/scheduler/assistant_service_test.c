/* Assistants over a socket: versions, labels, lists, rendering, and what is refused. */
#include "cmocka.h"

#include "assistant.pb-c.h"
#include "base/buf.h"
#include "support/scheduler/rig.h"

#include <stdio.h>
#include <string.h>

#define WRITER(more)   "{\"model\":\"m\",\"system\":\"Write for {{who}}.\"" more "}"
#define LABELS(labels) ",\"labels\":" labels

/* --- questions ---------------------------------------------------------------------------------
 */

static const void *ask(struct rig *rig, const char *method, const void *message, status expected,
                       const char *code)
{
    const struct question asked = {.service  = &pb__assistants__descriptor,
                                   .method   = method,
                                   .message  = message,
                                   .expected = expected,
                                   .code     = code};
    return rig_ask(rig, &asked);
}

static const Pb__PutAssistantAnswer *put_in(struct rig *rig, const char *namespace,
                                            const char *name, const char *definition)
{
    Pb__PutAssistant message = PB__PUT_ASSISTANT__INIT;
    message.namespace_       = namespace;
    message.name             = name;
    message.definition_json  = rig_bytes(definition);
    message.by               = "someone";
    return ask(rig, "Put", &message, STATUS_OK, NULL);
}

static const Pb__PutAssistantAnswer *put(struct rig *rig, const char *name, const char *definition)
{
    return put_in(rig, "default", name, definition);
}

static const Pb__AssistantView *get(struct rig *rig, const char *name, uint32_t version,
                                    status expected)
{
    Pb__GetAssistant message = PB__GET_ASSISTANT__INIT;
    message.namespace_       = "default";
    message.name             = name;
    message.version          = version;
    return ask(rig, "Get", &message, expected, NULL);
}

static const Pb__AssistantView *delete_version(struct rig *rig, const char *name, uint32_t version,
                                               status expected)
{
    Pb__DeleteAssistantVersion message = PB__DELETE_ASSISTANT_VERSION__INIT;
    message.namespace_                 = "default";
    message.name                       = name;
    message.version                    = version;
    return ask(rig, "DeleteVersion", &message, expected, NULL);
}

static const Pb__AssistantList *versions(struct rig *rig, const char *name, status expected)
{
    Pb__GetAssistant message = PB__GET_ASSISTANT__INIT;
    message.namespace_       = "default";
    message.name             = name;
    return ask(rig, "Versions", &message, expected, NULL);
}

/* A page of those with a label; NULL: of all. */
static const Pb__AssistantList *list(struct rig *rig, const char *key, const char *value,
                                     uint32_t size, const char *token)
{
    Pb__ListAssistants message = PB__LIST_ASSISTANTS__INIT;
    Pb__Page page              = PB__PAGE__INIT;
    Pb__Label label            = PB__LABEL__INIT;
    Pb__Label *labels[]        = {&label};
    page.size                  = size;
    page.token                 = token;
    label.key                  = key;
    label.value                = value;
    message.namespace_         = "default";
    message.labels             = labels;
    message.n_labels           = key ? 1 : 0;
    message.page               = &page;
    return ask(rig, "List", &message, STATUS_OK, NULL);
}

static const Pb__RenderedAssistant *render(struct rig *rig, const char *name, const char *variables,
                                           status expected)
{
    Pb__RenderAssistant message = PB__RENDER_ASSISTANT__INIT;
    message.namespace_          = "default";
    message.name                = name;
    message.variables_json      = rig_bytes(variables);
    return ask(rig, "Render", &message, expected, NULL);
}

static void expect_text(ProtobufCBinaryData data, const char *text)
{
    assert_int_equal(data.len, strlen(text));
    assert_memory_equal(data.data, text, data.len);
}

/* --- versions ----------------------------------------------------------------------------------
 */

static void other_content_is_a_new_version(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    const Pb__PutAssistantAnswer *first = put(&rig, "writer", WRITER(LABELS("{\"team\":\"seo\"}")));
    assert_true(first->created);
    assert_int_equal(first->assistant->version, 1);
    assert_string_equal(first->assistant->created_by, "someone");
    assert_true(first->assistant->created_us > 0);
    expect_text(first->assistant->definition_json,
                "{\"model\":\"m\",\"system\":\"Write for {{who}}.\"}");

    /* The same in another order, with other labels: of the assistant, not of the version. */
    const Pb__PutAssistantAnswer *same =
        put(&rig, "writer",
            "{\"labels\":{\"team\":\"ads\"},\"system\":\"Write for {{who}}.\",\"model\":\"m\"}");
    assert_false(same->created);
    assert_int_equal(same->assistant->version, 1);
    assert_int_equal(same->assistant->n_labels, 1);
    assert_string_equal(same->assistant->labels[0]->value, "ads");

    const Pb__PutAssistantAnswer *other = put(&rig, "writer", "{\"model\":\"other\"}");
    assert_true(other->created);
    assert_int_equal(other->assistant->version, 2);
    assert_int_equal(other->assistant->n_labels, 0);

    /* What an older version was is new again: only the newest one is compared. */
    assert_int_equal(put(&rig, "writer", WRITER(""))->assistant->version, 3);

    rig_restart(&rig);
    assert_int_equal(get(&rig, "writer", 0, STATUS_OK)->version, 3);
    expect_text(get(&rig, "writer", 2, STATUS_OK)->definition_json, "{\"model\":\"other\"}");
    const Pb__AssistantList *all = versions(&rig, "writer", STATUS_OK);
    assert_int_equal(all->n_assistants, 3);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(all->assistants[i]->version, 3 - i);
    (void)get(&rig, "writer", 4, STATUS_NOT_FOUND);
    (void)get(&rig, "writ", 0, STATUS_NOT_FOUND);
    (void)versions(&rig, "writ", STATUS_NOT_FOUND);
    rig_done(&rig);
}

static void a_number_is_never_given_twice(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, true);
    (void)put(&rig, "writer", "{\"model\":\"a\"}");
    (void)put(&rig, "writer", "{\"model\":\"b\"}");
    (void)put(&rig, "writer", "{\"model\":\"c\"}");
    expect_text(delete_version(&rig, "writer", 2, STATUS_OK)->definition_json, "{\"model\":\"b\"}");
    assert_int_equal(get(&rig, "writer", 0, STATUS_OK)->version, 3);
    (void)delete_version(&rig, "writer", 2, STATUS_NOT_FOUND);
    (void)delete_version(&rig, "writer", 3, STATUS_OK);
    assert_int_equal(get(&rig, "writer", 0, STATUS_OK)->version, 1);
    (void)delete_version(&rig, "writer", 1, STATUS_OK);
    (void)get(&rig, "writer", 0, STATUS_NOT_FOUND);
    (void)versions(&rig, "writer", STATUS_NOT_FOUND);
    assert_int_equal(list(&rig, NULL, NULL, 10, "")->n_assistants, 0);
    (void)delete_version(&rig, "nobody", 1, STATUS_NOT_FOUND);

    /* "The newest" is for reading only: whoever deletes says which one. */
    (void)put(&rig, "writer", "{\"model\":\"c\"}");
    (void)delete_version(&rig, "writer", 0, STATUS_INVALID_ARGUMENT);
    rig_restart(&rig);
    assert_int_equal(get(&rig, "writer", 0, STATUS_OK)->version, 4);
    rig_done(&rig);
}

/* --- lists -------------------------------------------------------------------------------------
 */

static void lists_are_of_a_namespace_by_name(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    (void)put(&rig, "c", WRITER(LABELS("{\"team\":\"seo\",\"tier\":\"1\"}")));
    (void)put(&rig, "a", WRITER(LABELS("{\"team\":\"seo\"}")));
    (void)put(&rig, "b", WRITER(LABELS("{\"team\":\"ads\"}")));
    (void)put_in(&rig, "other", "a", WRITER(LABELS("{\"team\":\"seo\"}")));
    (void)put(&rig, "a", "{\"model\":\"newer\",\"labels\":{\"team\":\"seo\"}}");

    const Pb__AssistantList *seo = list(&rig, "team", "seo", 10, "");
    assert_int_equal(seo->n_assistants, 2);
    assert_string_equal(seo->assistants[0]->name, "a");
    assert_int_equal(seo->assistants[0]->version, 2);
    assert_string_equal(seo->assistants[1]->name, "c");
    assert_string_equal(seo->next_token, "");
    assert_int_equal(list(&rig, "team", "none", 10, "")->n_assistants, 0);

    const Pb__AssistantList *page = list(&rig, NULL, NULL, 2, "");
    assert_int_equal(page->n_assistants, 2);
    assert_string_equal(page->assistants[1]->name, "b");
    const Pb__AssistantList *rest = list(&rig, NULL, NULL, 2, page->next_token);
    assert_int_equal(rest->n_assistants, 1);
    assert_string_equal(rest->assistants[0]->name, "c");
    assert_string_equal(rest->next_token, "");
    rig_done(&rig);
}

/* A token goes on with the question that it came with. */
static void a_page_token_is_of_its_filter(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    (void)put(&rig, "a", "{\"model\":\"m\"}");
    (void)put(&rig, "b", "{\"model\":\"m\"}");
    Pb__ListAssistants message = PB__LIST_ASSISTANTS__INIT;
    Pb__Page page              = PB__PAGE__INIT;
    page.size                  = 1;
    page.token                 = list(&rig, NULL, NULL, 1, "")->next_token;
    message.namespace_         = "other";
    message.page               = &page;
    assert_true(*page.token);
    (void)ask(&rig, "List", &message, STATUS_INVALID_ARGUMENT, "invalid_page_token");
    message.namespace_ = "default";
    page.token         = "x";
    (void)ask(&rig, "List", &message, STATUS_INVALID_ARGUMENT, "invalid_page_token");
    rig_done(&rig);
}

/* All together are larger than what a look-up of one may be. */
static void a_run_sees_them_all(void **)
{
    enum { COUNT = 80, SYSTEM_SIZE = 240 << 10 };
    static const char tasks[] = "  - a: {call: assistant.list, with: {label: 'team:seo'}}\n";
    CLEANUP(buf_done) struct buf text = buf_init(1 << 20);
    struct rig rig                    = {};
    rig_init(&rig, 1, false);
    (void)buf_put_text(&text, "{\"model\":\"m\",\"labels\":{\"team\":\"seo\"},\"system\":\"");
    for (int i = 0; i < SYSTEM_SIZE; i++) (void)buf_put_byte(&text, 'x');
    (void)buf_put_text(&text, "\"}");
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "a%d", i);
        (void)put(&rig, name, text.ptr);
        rig_forget(&rig);
    }
    (void)put(&rig, "other", "{\"model\":\"m\"}");
    rig_put(&rig, "lists", tasks);
    const char *run = rig_start(&rig, "lists", NULL)->run->id;
    rig_wait_for(&rig, run, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
    const Pb__RunView *view = rig_get(&rig, run);
    size_t count            = 0;
    const char *at          = (const char *)view->output_json.data;
    size_t left             = view->output_json.len;
    for (const char *found; (found = memmem(at, left, "\"version\"", 9)); at = found + 1) {
        left -= (size_t)(found + 1 - at);
        count++;
    }
    assert_int_equal(count, COUNT);
    rig_done(&rig);
}

/* --- rendering ---------------------------------------------------------------------------------
 */

static void rendering(void **)
{
    struct rig rig = {};
    rig_init(&rig, 1, false);
    (void)put(&rig, "writer", WRITER(""));
    (void)put(&rig, "silent", "{\"model\":\"quiet\"}");
    const Pb__RenderedAssistant *made =
        render(&rig, "writer", "{\"who\":\"{{who}} & \\u00e4\"}", STATUS_OK);
    assert_string_equal(made->name, "writer");
    assert_int_equal(made->version, 1);
    assert_string_equal(made->model, "m");
    expect_text(made->messages_json,
                "[{\"role\":\"system\",\"content\":\"Write for {{who}} & \xc3\xa4.\"}]");
    made = render(&rig, "silent", NULL, STATUS_OK);
    assert_string_equal(made->model, "quiet");
    expect_text(made->messages_json, "[]");
    (void)render(&rig, "writer", "{}", STATUS_INVALID_ARGUMENT);
    (void)render(&rig, "writer", "{", STATUS_INVALID_ARGUMENT);
    (void)render(&rig, "nobody", NULL, STATUS_NOT_FOUND);
    rig_done(&rig);
}

/* --- refusals ----------------------------------------------------------------------------------
 */

static void what_is_no_assistant_is_refused(void **)
{
    static const struct {
        const char *name, *definition;
        const char *code; /* NULL: input_invalid */
    } bad[] = {
        {"writer", "{", "invalid_json"},
        {"writer", "[]", NULL},
        {"writer", "{\"system\":\"no model\"}", NULL},
        {"writer", "{\"model\":\"m\",\"system\":\"{{a b}}\"}", NULL},
        {"writer", "{\"model\":\"m\",\"labels\":{\"team\":7}}", NULL},
        {"writer", "{\"model\":\"m\",\"unknown\":1}", NULL},
        {"writer", "{\"model\":\"m\",\"tools\":[{\"function\":\"no.such\"}]}", NULL},
        {"Writer", "{\"model\":\"m\"}", NULL},
        {"-writer", "{\"model\":\"m\"}", NULL},
        {"", "{\"model\":\"m\"}", NULL},
    };
    struct rig rig = {};
    rig_init(&rig, 1, false);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Pb__PutAssistant message = PB__PUT_ASSISTANT__INIT;
        message.namespace_       = "default";
        message.name             = bad[i].name;
        message.definition_json  = rig_bytes(bad[i].definition);
        (void)ask(&rig, "Put", &message, STATUS_INVALID_ARGUMENT,
                  bad[i].code ? bad[i].code : "input_invalid");
    }
    (void)get(&rig, "Writer", 0, STATUS_INVALID_ARGUMENT);
    (void)versions(&rig, "", STATUS_INVALID_ARGUMENT);
    (void)delete_version(&rig, "a_b", 1, STATUS_INVALID_ARGUMENT);
    (void)render(&rig, "a.b", NULL, STATUS_INVALID_ARGUMENT);
    assert_int_equal(list(&rig, NULL, NULL, 10, "")->n_assistants, 0);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_content_is_a_new_version),
        cmocka_unit_test(a_number_is_never_given_twice),
        cmocka_unit_test(lists_are_of_a_namespace_by_name),
        cmocka_unit_test(a_page_token_is_of_its_filter),
        cmocka_unit_test(a_run_sees_them_all),
        cmocka_unit_test(rendering),
        cmocka_unit_test(what_is_no_assistant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
