/* XML as JSON: what becomes of it, and what is refused. */
#include "xml/xml.h"

#include "base/attr.h"
#include "base/buf.h"
#include "support/cmocka.h"
#include "json/json_text.h"

#include <string.h>

enum { TEXT_MAX = 1 << 20 };

static void documents_become_values(void **)
{
    static const struct {
        const char *xml, *want;
    } rows[] = {
        {"<a/>", "{\"a\":\"\"}"},
        {"<a> b </a>", "{\"a\":\" b \"}"},
        {"<?xml version='1.0'?>\n<!-- c --><a><b>1</b></a>\n", "{\"a\":{\"b\":\"1\"}}"},
        {"<a><b>1</b><c/><b>2</b><b>3</b></a>", "{\"a\":{\"b\":[\"1\",\"2\",\"3\"],\"c\":\"\"}}"},
        {"<a><b><c>1</c></b><b><c>2</c><c>3</c></b></a>",
         "{\"a\":{\"b\":[{\"c\":\"1\"},{\"c\":[\"2\",\"3\"]}]}}"},
        {"<a x='1' xmlns='urn:x' xmlns:y='urn:y' y:z='2'/>",
         "{\"a\":{\"@x\":\"1\",\"@y:z\":\"2\"}}"},
        {"<a>\n one <b>2</b> three\n</a>", "{\"a\":{\"b\":\"2\",\"#text\":\"one  three\"}}"},
        {"<y:a>&lt;&amp;&gt;&#228;&#x1F600;<![CDATA[<b>]]></y:a>",
         "{\"y:a\":\"<&>\u00e4\U0001F600<b>\"}"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe4</a>", "{\"a\":\"\u00e4\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json value   = json_invalid();
        CLEANUP(buf_done) struct buf text = buf_init(TEXT_MAX);
        struct error error                = {};
        status code                       = xml_parse(str_from(rows[i].xml), &value, &error);
        if (code != STATUS_OK) print_error("%s: %s\n", rows[i].xml, error.text);
        assert_int_equal(code, STATUS_OK);
        assert_true(json_print(value, JSON_COMPACT, &text));
        assert_true(buf_put_byte(&text, '\0'));
        assert_string_equal(text.ptr, rows[i].want);
    }
}

static void others_are_refused(void **)
{
    static const struct {
        const char *xml;
        status code;
        const char *text;
    } rows[] = {
        {"", STATUS_DATA_LOSS, "line 1"},
        {"hello", STATUS_DATA_LOSS, "line 1"},
        {"<a>\n<b></a>", STATUS_DATA_LOSS, "line 2: mismatched tag"},
        {"<a/><b/>", STATUS_DATA_LOSS, "junk"},
        {"<a x='1' x='2'/>", STATUS_DATA_LOSS, "duplicate"},
        {"<a>&other;</a>", STATUS_DATA_LOSS, "undefined entity"},
        {"<a>\xff\xfe\xfd</a>", STATUS_DATA_LOSS, "line 1"},
        {"<?xml version='1.0' encoding='martian'?><a/>", STATUS_DATA_LOSS, "encoding"},
        {"<!DOCTYPE a><a/>", STATUS_PERMISSION_DENIED, "a DTD is not taken"},
        {"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
         STATUS_PERMISSION_DENIED, "DTD"},
        {"<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>",
         STATUS_PERMISSION_DENIED, "DTD"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json value         = json_invalid();
        struct error error = {};
        assert_int_equal(xml_parse(str_from(rows[i].xml), &value, &error), rows[i].code);
        if (!strstr(error.text, rows[i].text)) print_error("%s\n", error.text);
        assert_non_null(strstr(error.text, rows[i].text));
        assert_true(json_is(value, JSON_INVALID));
        assert_int_equal(xml_parse(str_from(rows[i].xml), &value, NULL), rows[i].code);
    }
}

/* `count` times `piece`, with `end` behind it. */
static status parse_many(const char *begin, const char *piece, size_t count, const char *end)
{
    CLEANUP(buf_done) struct buf text = buf_init(16 << 20);
    CLEANUP(json_unrefp) json value   = json_invalid();
    assert_true(buf_put_text(&text, begin));
    for (size_t i = 0; i < count; i++) assert_true(buf_put_text(&text, piece));
    assert_true(buf_put_text(&text, end));
    return xml_parse(buf_str(&text), &value, NULL);
}

static void limits_hold(void **)
{
    assert_int_equal(parse_many("<a>", "<b/>", XML_VALUES_MAX - 1, "</a>"), STATUS_OK);
    assert_int_equal(parse_many("<a>", "<b/>", XML_VALUES_MAX, "</a>"), STATUS_OUT_OF_RANGE);
    assert_int_equal(parse_many("", "<a>", XML_DEPTH_MAX, ""), STATUS_DATA_LOSS); /* not closed */
    assert_int_equal(parse_many("", "<a>", XML_DEPTH_MAX + 1, ""), STATUS_OUT_OF_RANGE);
    assert_int_equal(parse_many("<", "n", XML_NAME_MAX, "/>"), STATUS_OK);
    assert_int_equal(parse_many("<", "n", XML_NAME_MAX + 1, "/>"), STATUS_OUT_OF_RANGE);
    assert_int_equal(parse_many("<a ", "n", XML_NAME_MAX, "=''/>"), STATUS_OK);
    assert_int_equal(parse_many("<a ", "n", XML_NAME_MAX + 1, "=''/>"), STATUS_OUT_OF_RANGE);
    assert_int_equal(parse_many("<a>", "0123456789", 100'000, "</a>"), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_values),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
