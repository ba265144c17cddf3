/* Steps as they are read: what is refused, with its place, and keys by their names. */
#include "tool-adapter/browser/keys.h"
#include "tool-adapter/browser/steps.h"

#include "base/buf.h"
#include "json/json_text.h"

#include "cmocka.h"

#include <stdio.h>

enum { TEXT_MAX = 4'096, LIST_MAX = 16 << 10 };

static status find_secret(const char *slot, str *ret_value, struct error *reterr, void *)
{
    if (strcmp(slot, "password") != 0) return fail(reterr, STATUS_NOT_FOUND, "none");
    *ret_value = str_from("secret");
    return STATUS_OK;
}

static json json_of(const char *text)
{
    json value = json_invalid();
    assert_int_equal(json_parse(str_from(text), NULL, &value, NULL, NULL), STATUS_OK);
    return value;
}

static status read_list(const char *list, const char *hosts, struct page_steps **ret_steps,
                        struct error *reterr)
{
    const struct secret_source secrets = {.find = find_secret};
    CLEANUP(json_unrefp) json steps    = json_of(list);
    CLEANUP(json_unrefp) json on       = hosts ? json_of(hosts) : json_invalid();
    return page_steps_read(steps, on, &secrets, ret_steps, reterr);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void what_is_no_step_is_refused_with_its_place(void **)
{
    static const struct {
        const char *second, *text;
    } rows[] = {
        {"7", "/steps/1: a step is one of goto, wait_for,"},
        {"{\"jump\": 1}", "/steps/1: a step is one of"},
        {"{\"click\": \"a\", \"goto\": \"https://a.test/\"}", "/steps/1: a step is one of"},
        {"{\"goto\": \"file:///etc/passwd\"}", "/steps/1/goto: must be an http or https URL"},
        {"{\"goto\": \"https://a:b@c.test/\"}", "/steps/1/goto: must be an http or https URL"},
        {"{\"click\": {}}", "/steps/1/click: `selector` must be a CSS selector"},
        {"{\"click\": \"a >\"}", "/steps/1/click: "},
        {"{\"click\": {\"selector\": \"a\", \"button\": \"x\"}}", "/steps/1/click: `button`"},
        {"{\"click\": {\"selector\": \"a\", \"count\": 4}}", "/steps/1/click: `count`"},
        {"{\"click\": \"a\", \"timeout\": 61}", "/steps/1/click: `timeout`"},
        {"{\"wait_for\": {\"selector\": \"a\", \"state\": \"x\"}}", "/steps/1/wait_for: `state`"},
        {"{\"fill\": {\"selector\": \"a\"}}", "/steps/1/fill: one of `text` and `secret`"},
        {"{\"fill\": {\"selector\": \"a\", \"text\": \"\", \"secret\": \"password\"}}",
         "/steps/1/fill: one of `text` and `secret`"},
        {"{\"fill\": {\"selector\": \"a\", \"secret\": \"token\"}}",
         "/steps/1/fill: the secret `token` is not set"},
        {"{\"type\": {\"selector\": \"a\"}}", "/steps/1/type: `text` must be given"},
        {"{\"select\": {\"selector\": \"a\", \"value\": [1]}}", "/steps/1/select: `value`"},
        {"{\"press\": \"Entr\"}", "/steps/1/press: there is no key `Entr`"},
        {"{\"scroll\": \"left\"}", "/steps/1/scroll: must be `top`, `bottom`"},
        {"{\"extract\": {}}", "/steps/1/extract: must be names and selectors"},
        {"{\"extract\": {\"a\": \"x(\"}}", "/steps/1/extract: "},
        {"{\"screenshot\": \"\"}", "/steps/1/screenshot: a name has 1 to 64 bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char list[TEXT_MAX];
        struct page_steps *steps = NULL;
        struct error error       = {};
        (void)snprintf(list, sizeof list, "[{\"goto\": \"https://a.test/\"}, %s]", rows[i].second);
        assert_int_not_equal(read_list(list, "[\"a.test\"]", &steps, &error), STATUS_OK);
        if (strncmp(error.text, rows[i].text, strlen(rows[i].text)) != 0) {
            assert_string_equal(error.text, rows[i].text);
        }
    }
}

static void a_list_begins_somewhere_and_ends(void **)
{
    struct page_steps *steps           = NULL;
    struct error error                 = {};
    CLEANUP(buf_done) struct buf texts = buf_init(LIST_MAX);
    assert_int_equal(read_list("[]", NULL, &steps, &error), STATUS_INVALID_ARGUMENT);
    assert_int_equal(read_list("[{\"click\": \"a\"}]", NULL, &steps, &error),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.text, "/steps/0: the first step is a `goto`");
    for (int i = 0; i < STEPS_MAX; i++) {
        (void)buf_printf(&texts, "%s{\"goto\": \"https://a.test/%d\"}", i > 0 ? "," : "[", i);
    }
    size_t len = texts.len;
    assert_true(buf_put_text(&texts, "]"));
    assert_int_equal(read_list(texts.ptr, NULL, &steps, &error), STATUS_OK);
    assert_int_equal(steps->count, STEPS_MAX);
    page_steps_unref(steps);
    texts.len = len;
    assert_true(buf_put_text(&texts, ", {\"click\": \"a\"}]"));
    assert_int_equal(read_list(texts.ptr, NULL, &steps, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.text, "`steps` is a list of 1 to 100");
}

static void a_secret_needs_a_host(void **)
{
    static const char list[] = "[{\"goto\": \"https://a.test/\"}, {\"fill\": {\"selector\": \"a\", "
                               "\"secret\": \"password\"}}]";
    struct page_steps *steps = NULL;
    struct error error       = {};
    assert_int_equal(read_list(list, NULL, &steps, &error), STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(error.text, "secret_hosts"));
    assert_null(strstr(error.text, "\"secret\""));
    assert_int_equal(read_list(list, "[\"a.test\"]", &steps, &error), STATUS_OK);
    assert_true(steps->items[1].is_secret);
    assert_true(str_is(steps->items[1].text, "secret"));
    page_steps_unref(steps);
}

/* A page closes after its call, when the configuration of the connection may be gone. */
static void steps_outlive_the_configuration(void **)
{
    static const char text[] = "[{\"goto\": \"https://a.test/\"}, {\"select\": {\"selector\": "
                               "\"a\", \"value\": [\"b\"]}}]";
    const struct secret_source secrets = {.find = find_secret};
    json list                          = json_freeze(json_of(text));
    json hosts                         = json_freeze(json_of("[\"a.test\"]"));
    struct page_steps *steps           = NULL;
    assert_int_equal(page_steps_read(list, hosts, &secrets, &steps, NULL), STATUS_OK);
    json_thaw_and_free(list);
    json_thaw_and_free(hosts);
    assert_true(str_is(steps->items[0].text, "https://a.test/"));
    assert_true(str_is(json_str(json_at(steps->items[1].value, 0)), "b"));
    assert_true(str_is(json_str(json_at(steps->hosts, 0)), "a.test"));
    page_steps_unref(steps);
}

/* --- keys ------------------------------------------------------------------------------------- */

static void keys_are_told_as_browsers_know_them(void **)
{
    static const struct {
        const char *name, *event;
    } rows[] = {
        {"Enter", "{\"code\":\"Enter\",\"key\":\"Enter\",\"modifiers\":0,\"text\":\"\\r\","
                  "\"windowsVirtualKeyCode\":13}"},
        {"Tab", "{\"code\":\"Tab\",\"key\":\"Tab\",\"modifiers\":0,\"windowsVirtualKeyCode\":9}"},
        {"Shift+Tab",
         "{\"code\":\"Tab\",\"key\":\"Tab\",\"modifiers\":8,\"windowsVirtualKeyCode\":9}"},
        {"Space", "{\"code\":\"Space\",\"key\":\" \",\"modifiers\":0,\"text\":\" \","
                  "\"windowsVirtualKeyCode\":32}"},
        {"a", "{\"key\":\"a\",\"modifiers\":0,\"text\":\"a\",\"windowsVirtualKeyCode\":0}"},
        {"\xc3\xb6", "{\"key\":\"\xc3\xb6\",\"modifiers\":0,\"text\":\"\xc3\xb6\","
                     "\"windowsVirtualKeyCode\":0}"},
        {"+", "{\"key\":\"+\",\"modifiers\":0,\"text\":\"+\",\"windowsVirtualKeyCode\":0}"},
        {"Shift+a", "{\"key\":\"A\",\"modifiers\":8,\"text\":\"A\",\"windowsVirtualKeyCode\":65}"},
        {"Control+a", "{\"key\":\"a\",\"modifiers\":2,\"windowsVirtualKeyCode\":65}"},
        {"Shift+Control+a", "{\"key\":\"a\",\"modifiers\":10,\"windowsVirtualKeyCode\":65}"},
        {"Control+Enter", "{\"code\":\"Enter\",\"key\":\"Enter\",\"modifiers\":2,"
                          "\"windowsVirtualKeyCode\":13}"},
        {"F12", "{\"code\":\"F12\",\"key\":\"F12\",\"modifiers\":0,\"windowsVirtualKeyCode\":123}"},
        {"", NULL},
        {"ab", NULL},
        {"Control+", NULL},
        {"Hyper+a", NULL},
        {"\x1b", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json event    = json_invalid();
        CLEANUP(buf_done) struct buf print = buf_init(TEXT_MAX);
        struct error error                 = {};
        status code                        = key_read(str_from(rows[i].name), &event, &error);
        assert_int_equal(code, rows[i].event ? STATUS_OK : STATUS_INVALID_ARGUMENT);
        if (!rows[i].event) continue;
        assert_true(json_print(event, JSON_SORTED, &print) && buf_put_byte(&print, '\0'));
        assert_string_equal(print.ptr, rows[i].event);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_step_is_refused_with_its_place),
        cmocka_unit_test(a_list_begins_somewhere_and_ends),
        cmocka_unit_test(a_secret_needs_a_host),
        cmocka_unit_test(steps_outlive_the_configuration),
        cmocka_unit_test(keys_are_told_as_browsers_know_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
