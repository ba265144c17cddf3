#include "html/charset.h"

#include "cmocka.h"

#include "base/attr.h"

static void the_order_is_the_standards(void **state)
{
    (void)state;
    static const struct {
        const char *type, *page, *charset;
    } rows[] = {
        {"", "", "windows-1252"},
        {"text/html; charset=utf-8", "", "utf-8"},
        {"text/html;charset=\"UTF-8\"", "", "utf-8"},
        {"text/html; charset = latin1 ; x=y", "", "windows-1252"},
        {"text/html; charset=nonsense", "<meta charset=koi8-r>", "koi8-r"},
        {"text/html; charset=koi8-r", "<meta charset=utf-8>", "koi8-r"},
        {"text/html; charset=koi8-r", "\xef\xbb\xbf<p>", "utf-8"},
        {"", "\xff\xfe<\0", "utf-16le"},
        {"", "\xfe\xff", "utf-16be"},
        {"", "<META CharSet='Shift_JIS'>", "cp932"},
        {"", "<meta http-equiv=Content-Type content='text/html; charset=gbk'>", "gb18030"},
        {"", "<meta content='text/html; charset=gbk'>", "windows-1252"},
        {"", "<meta charset=utf-16>", "utf-8"},
        {"", "<!-- <meta charset=utf-8> --><p>", "windows-1252"},
        {"", "<!-- <meta charset=utf-8>", "windows-1252"},
        {"", "<metal charset=utf-8>", "windows-1252"},
        {"", "<meta charset", "windows-1252"},
        {"", "<meta charset='utf-8", "utf-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *charset = charset_of(str_from(rows[i].type), str_from(rows[i].page));
        if (strcmp(charset, rows[i].charset) != 0) fail_msg("row %zu: %s", i, charset);
    }
    CLEANUP(buf_done) struct buf far = buf_init(5000);
    for (int i = 0; i < CHARSET_META_MAX; i++) (void)buf_put_byte(&far, ' ');
    (void)buf_put_text(&far, "<meta charset=utf-8>");
    assert_string_equal(charset_of((str){}, buf_str(&far)), "windows-1252");
}

static void pages_become_utf_8(void **state)
{
    (void)state;
    static const struct {
        const char *charset, *page;
        size_t len;
        const char *text;
    } rows[] = {
        {"windows-1252", "a\xe4\x80", 3, "a\xc3\xa4\xe2\x82\xac"},
        {"windows-1252", "a\x81z", 3, "a\xef\xbf\xbdz"},
        {"utf-8", "\xef\xbb\xbf\xc3\xa4", 5, "\xc3\xa4"},
        {"utf-16le", "\xff\xfe\xe4\x00", 4, "\xc3\xa4"},
        {"utf-16be", "\x00\xe4\x00", 3, "\xc3\xa4\xef\xbf\xbd"},
        {"cp932", "\x82\xa0", 2, "\xe3\x81\x82"},
        {"koi8-r", "\xc1", 1, "\xd0\xb0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out = buf_init(1000);
        str raw                          = {.ptr = rows[i].page, .len = rows[i].len};
        assert_true(charset_decode(rows[i].charset, raw, &out));
        assert_string_equal(buf_str(&out).ptr, rows[i].text);
    }
    CLEANUP(buf_done) struct buf small = buf_init(20);
    str long_text                      = str_from("0123456789012345678901234567890123456789");
    assert_false(charset_decode("windows-1252", long_text, &small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_the_standards),
        cmocka_unit_test(pages_become_utf_8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
