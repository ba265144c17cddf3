/* How many tokens a call may take: of arguments of jobs, and of bodies of clients. */
#include "workflow/token_estimate.h"

#include "cmocka.h"
#include "json/json_text.h"

enum { MESSAGE = 4, NONE = 4 /* tokens around one, and around all */ };

static void questions(void **)
{
    static const struct {
        const char *arguments;
        int64_t input, output;
    } rows[] = {
        {"{}", NONE, -1},
        {"{\"prompt\":\"12345678\",\"max_tokens\":7}", NONE + 2, 7},
        {"{\"messages\":[{\"content\":\"12345678\"},{\"content\":\"1\"}],\"max_tokens\":7,\"n\":2}",
         NONE + 2 * MESSAGE + 3, 14},
        {"{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"1234\"},{\"type\":"
         "\"image_url\",\"image_url\":{\"url\":\"https://a.test/"
         "b.png\"}},{\"type\":\"image_url\"}]}]}",
         NONE + MESSAGE + 1 + 2 * CHAT_IMAGE_TOKENS, -1},
        {"{\"messages\":[{\"content\":[{\"type\":\"image\",\"source\":{\"data\":\"AAAA\"}}]},"
         "{\"content\":[{\"type\":\"image\"},{\"type\":7},{},\"image\"]}]}",
         NONE + 2 * MESSAGE + 2 * CHAT_IMAGE_TOKENS, -1},
        {"{\"messages\":\"image\"}", NONE, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(json_unrefp) json arguments = json_invalid();
        assert_int_equal(json_parse(str_from(rows[i].arguments), NULL, &arguments, NULL, NULL),
                         STATUS_OK);
        const struct token_estimate estimate = token_estimate_of(arguments, false);
        if (estimate.input != rows[i].input) fail_msg("%zu: %ld", i, (long)estimate.input);
        assert_int_equal(estimate.output, rows[i].output);
        assert_int_equal(token_estimate_of(arguments, true).output, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
