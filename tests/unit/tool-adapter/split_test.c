/* Documents to blocks and chunks: what is kept whole, where seams are, and what always holds. */
#include "cmocka.h"

#include "base/attr.h"
#include "base/random.h"
#include "base/utf8.h"
#include "html/document.h"
#include "tool-adapter/documents/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 4096, ROUNDS = 300 };

/* --- blocks -------------------------------------------------------------------------------------
 */

/* "P|H2:Title|C|R", each with its text in brackets. */
static void describe(const struct blocks *blocks, struct buf *out)
{
    static const char marks[] = {
        [BLOCK_PARAGRAPH] = 'P', [BLOCK_HEADING] = 'H', [BLOCK_CODE] = 'C', [BLOCK_ROW] = 'R'};
    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->items[i];
        (void)buf_put_byte(out, marks[block->kind]);
        if (block->kind == BLOCK_HEADING) {
            (void)buf_printf(out, "%u:" STR_FMT, block->level, STR_ARG(block->title));
        }
        (void)buf_put_byte(out, '[');
        (void)buf_put_str(out, str_slice(blocks->text, block->start, block->end));
        (void)buf_put_byte(out, ']');
    }
    (void)buf_put_byte(out, '\0');
}

static void finds_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum document_form form;
        const char *source, *want;
    } rows[] = {
        {"nothing", DOCUMENT_TEXT, " \n\t\n", ""},
        {"paragraphs", DOCUMENT_TEXT, "one\ntwo\n\n \nthree\r\n\r\nfour",
         "P[one\ntwo]P[three]P[four]"},
        {"no marks in text", DOCUMENT_TEXT, "# one\n| a |\n```", "P[# one\n| a |\n```]"},
        {"headings", DOCUMENT_MARKDOWN, "# One #\ntext\n### Two\n#no\n####### no",
         "H1:One[# One #]P[text]H3:Two[### Two]P[#no\n####### no]"},
        {"underlined", DOCUMENT_MARKDOWN, "One\n===\n\nTwo\n--\na\nb\n---\n",
         "H1:One[One\n===]H2:Two[Two\n--]P[a\nb\n---]"},
        {"fence", DOCUMENT_MARKDOWN, "a\n```c\n# no\n\n| no |\n````\nb",
         "P[a]C[```c\n# no\n\n| no |\n````]P[b]"},
        {"fence of tildes", DOCUMENT_MARKDOWN, "~~~\n```\n~~~\nb", "C[~~~\n```\n~~~]P[b]"},
        {"fence without end", DOCUMENT_MARKDOWN, "```\na\n\nb\n", "C[```\na\n\nb]"},
        {"indented is no mark", DOCUMENT_MARKDOWN, "    # a\n    ```\n", "P[# a\n    ```]"},
        {"rows", DOCUMENT_MARKDOWN, "| a | b |\n|---|---|\n| 1 | 2 |\nx",
         "R[| a | b |]R[|---|---|]R[| 1 | 2 |]P[x]"},
        {"html", DOCUMENT_HTML,
         "<title>no</title><nav>no</nav><h1>One <b>two</b></h1><p>a&amp;b\n c<script>no</script>"
         "<div role=navigation>no</div><ul><li>x<li>y</ul>z",
         "H1:One two[One two]P[a&b c]P[x]P[y]P[z]"},
        {"html code and rows", DOCUMENT_HTML,
         "<pre>a\n  b\n\nc</pre><table><tr><th>k<th>v<tr><td><p>1</p><p>2</p><td>3</table>",
         "C[a\n  b\n\nc]R[k | v]R[1 2 | 3]"},
        {"html breaks", DOCUMENT_HTML, "<p>a<br>b<h2>t<br>u</h2>", "P[a\nb]H2:t u[t u]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(blocks_done) struct blocks blocks = {};
        CLEANUP(buf_done) struct buf text         = buf_init(WORDS_MAX);
        struct error error                        = {};
        print_message("%s\n", rows[i].name);
        assert_int_equal(blocks_read(rows[i].form, str_from(rows[i].source), &blocks, &error),
                         STATUS_OK);
        describe(&blocks, &text);
        assert_string_equal(text.ptr, rows[i].want);
    }
}

/* --- chunks -------------------------------------------------------------------------------------
 */

static void join(const struct blocks *blocks, const struct chunks *chunks, struct buf *out)
{
    for (size_t i = 0; i < chunks->count; i++) {
        const struct chunk *chunk = &chunks->items[i];
        if (i > 0) (void)buf_put_text(out, "§");
        (void)buf_put_str(out, str_slice(blocks->text, chunk->start, chunk->end));
        for (unsigned at = 0; at < chunk->heading_count; at++) {
            (void)buf_printf(out, "{" STR_FMT "}", STR_ARG(chunk->headings[at]));
        }
    }
    (void)buf_put_byte(out, '\0');
}

static void splits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum document_form form;
        struct split_options options;
        const char *source, *want;
    } rows[] = {
        {"fits", DOCUMENT_TEXT, {.size = 20}, "one two\n\nthree", "one two\n\nthree"},
        {"paragraphs",
         DOCUMENT_TEXT,
         {.size = 16},
         "aaaa bbbb\n\ncccc dddd\n\neeee",
         "aaaa bbbb§cccc dddd\n\neeee"},
        {"overlap",
         DOCUMENT_TEXT,
         {.size = 16, .overlap = 6},
         "aaaa bbbb\n\ncccc dd.\n\neeee",
         "aaaa bbbb§bbbb\n\ncccc dd.§dd.\n\neeee"},
        {"a long paragraph at sentences",
         DOCUMENT_TEXT,
         {.size = 16},
         "One two. Three four? \"Five!\" six. Seven",
         "One two.§Three four?§\"Five!\" six.§Seven"},
        {"sentences",
         DOCUMENT_TEXT,
         {.size = 20, .by = SPLIT_SENTENCES},
         "J. S. Bach wrote. He did 1.5 of it. End",
         "J. S. Bach wrote.§He did 1.5 of it.§End"},
        {"wide sentences",
         DOCUMENT_TEXT,
         {.size = 16, .by = SPLIT_SENTENCES},
         "これは一つの文です。これは二つ目の文です。",
         "これは一つの文です。§これは二つ目の文です。"},
        {"words",
         DOCUMENT_TEXT,
         {.size = 16},
         "aaaaaaa bbbbbbb ccccccc",
         "aaaaaaa bbbbbbb§ccccccc"},
        {"characters",
         DOCUMENT_TEXT,
         {.size = 16},
         "ääääääääääääääääääää",
         "ääääääääääääääää§ääää"},
        {"tokens",
         DOCUMENT_TEXT,
         {.size = 16, .unit = SPLIT_TOKENS},
         "ääääääääääääääää ääääääääääääääää äää",
         "ääääääääääääääää§ääääääääääääääää äää"},
        {"headings",
         DOCUMENT_MARKDOWN,
         {.size = 100, .by = SPLIT_HEADINGS},
         "# A\n## B\none\n\ntwo\n## C\nthree\n# D\n",
         "# A\n## B\none\n\ntwo{A}{B}§## C\nthree{A}{C}§# D{D}"},
        {"a heading does not end a chunk",
         DOCUMENT_MARKDOWN,
         {.size = 20},
         "aaaa bbbb cccc\n# T\ndddd eeee ffff",
         "aaaa bbbb cccc§# T\ndddd eeee ffff{T}"},
        {"a fence is whole",
         DOCUMENT_MARKDOWN,
         {.size = 24},
         "words here\n```\nx = 1\n\ny = 2\n```\nend.",
         "words here§```\nx = 1\n\ny = 2\n```§end."},
        {"a fence that is larger",
         DOCUMENT_MARKDOWN,
         {.size = 16, .overlap = 8},
         "```\nfirst = 1\nsecond = 2\n```\n",
         "```\nfirst = 1§second = 2\n```"},
        {"rows are whole",
         DOCUMENT_MARKDOWN,
         {.size = 16, .overlap = 8},
         "| aaa | bbb |\n| ccc | ddd |",
         "| aaa | bbb |§| ccc | ddd |"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(blocks_done) struct blocks blocks = {};
        CLEANUP(chunks_done) struct chunks chunks = {};
        CLEANUP(buf_done) struct buf text         = buf_init(WORDS_MAX);
        struct error error                        = {};
        print_message("%s\n", rows[i].name);
        assert_int_equal(blocks_read(rows[i].form, str_from(rows[i].source), &blocks, &error),
                         STATUS_OK);
        assert_int_equal(split_blocks(&blocks, &rows[i].options, &chunks, &error), STATUS_OK);
        join(&blocks, &chunks, &text);
        assert_string_equal(text.ptr, rows[i].want);
    }
}

/* What always holds: chunks fit, go forward, cut no character, and leave out nothing but blanks. */
static void check_chunks(const struct blocks *blocks, const struct split_options *options,
                         const struct chunks *chunks)
{
    size_t covered = 0;
    size_t last    = 0;
    for (size_t i = 0; i < chunks->count; i++) {
        const struct chunk *chunk = &chunks->items[i];
        str text                  = str_slice(blocks->text, chunk->start, chunk->end);
        size_t size = options->unit == SPLIT_TOKENS ? (text.len + 3) / 4 : utf8_length(text);
        assert_true(text.len > 0 && chunk->end <= blocks->text.len);
        assert_int_equal(utf8_valid_prefix(text), text.len);
        assert_true(size <= options->size);
        assert_true(chunk->start >= last && chunk->end > covered);
        for (size_t at = covered; at < chunk->start; at++) {
            assert_non_null(memchr(" \n\t\r", blocks->text.ptr[at], 4));
        }
        last    = chunk->start;
        covered = chunk->end;
    }
    for (size_t at = covered; at < blocks->text.len; at++) {
        assert_non_null(memchr(" \n\t\r", blocks->text.ptr[at], 4));
    }
}

static void holds_for_any_document(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "word ", "Ende. ", "ä",     "日本。",      "\n",
        "\n\n",  "# T\n",  "```\n", "| a | b |\n", "veryverylongwordwithoutend",
        "x! ",   "## U\n"};
    struct prng prng = {.state = 7};
    for (unsigned round = 0; round < ROUNDS; round++) {
        CLEANUP(buf_done) struct buf source = buf_init(64 << 10);
        unsigned count                      = (unsigned)(prng_next(&prng) % 200);
        for (unsigned i = 0; i < count; i++) {
            (void)buf_put_text(&source, pieces[prng_next(&prng) % ARRAY_LEN(pieces)]);
        }
        CLEANUP(blocks_done) struct blocks blocks = {};
        CLEANUP(chunks_done) struct chunks chunks = {};
        size_t size                               = 16 + prng_next(&prng) % 100;
        const struct split_options options = {.unit    = (enum split_unit)(prng_next(&prng) % 2),
                                              .by      = (enum split_by)(prng_next(&prng) % 3),
                                              .size    = size,
                                              .overlap = prng_next(&prng) % (size / 2)};
        struct error error                 = {};
        assert_int_equal(blocks_read((enum document_form)(prng_next(&prng) % 2), buf_str(&source),
                                     &blocks, &error),
                         STATUS_OK);
        assert_int_equal(split_blocks(&blocks, &options, &chunks, &error), STATUS_OK);
        check_chunks(&blocks, &options, &chunks);
    }
}

/* --- limits -------------------------------------------------------------------------------------
 */

static void refuses(void **state)
{
    (void)state;
    const struct {
        enum document_form form;
        str source;
        const char *want;
    } rows[] = {
        {DOCUMENT_TEXT, str_from("a\xff"), "not UTF-8 at byte 1"},
        {DOCUMENT_HTML, (str){.ptr = "", .len = BLOCKS_HTML_MAX + 1}, "over 4 MiB"},
        {DOCUMENT_TEXT, (str){.ptr = "", .len = BLOCKS_TEXT_MAX + 1}, "over 8 MiB"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(blocks_done) struct blocks blocks = {};
        struct error error                        = {};
        assert_int_equal(blocks_read(rows[i].form, rows[i].source, &blocks, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, rows[i].want));
    }
}

/* Small documents that would become large trees: each paragraph opens all that was left open again.
 */
static void refuses_html_that_grows(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf nested  = buf_init(1 << 20);
    CLEANUP(buf_done) struct buf growing = buf_init(1 << 20);
    for (unsigned i = 0; i <= HTML_DEPTH_MAX; i++) (void)buf_put_text(&nested, "<div>");
    (void)buf_put_text(&growing, "<p>");
    for (unsigned i = 0; i < 400; i++) (void)buf_printf(&growing, "<b id=%u>", i);
    for (unsigned i = 0; i < 5'000; i++) (void)buf_put_text(&growing, "<p>x");
    const str sources[] = {buf_str(&nested), buf_str(&growing)};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        CLEANUP(blocks_done) struct blocks blocks = {};
        struct error error                        = {};
        assert_int_equal(blocks_read(DOCUMENT_HTML, sources[i], &blocks, &error),
                         STATUS_RESOURCE_EXHAUSTED);
    }
}

static void refuses_sizes_and_too_many_chunks(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf source       = buf_init(1 << 20);
    CLEANUP(blocks_done) struct blocks blocks = {};
    struct error error                        = {};
    for (unsigned i = 0; i <= SPLIT_CHUNKS_MAX; i++) {
        (void)buf_put_text(&source, "0123456789ab\n\n");
    }
    assert_int_equal(blocks_read(DOCUMENT_TEXT, buf_str(&source), &blocks, &error), STATUS_OK);
    const struct {
        struct split_options options;
        const char *want;
    } rows[] = {{{.size = SPLIT_SIZE_MIN - 1}, "`size`"},
                {{.size = SPLIT_SIZE_MAX + 1}, "`size`"},
                {{.size = 20, .overlap = 11}, "`overlap`"},
                {{.size = 16}, "more than 10000 chunks"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(chunks_done) struct chunks chunks = {};
        assert_int_equal(split_blocks(&blocks, &rows[i].options, &chunks, &error),
                         STATUS_INVALID_ARGUMENT);
        assert_non_null(strstr(error.text, rows[i].want));
    }
}

static void refuses_too_many_blocks(void **state)
{
    (void)state;
    CLEANUP(blocks_done) struct blocks blocks = {};
    struct error error                        = {};
    size_t size                               = 3 * (size_t)(BLOCKS_MAX + 1);
    char *text                                = malloc(size);
    for (size_t i = 0; i < size; i++) text[i] = i % 3 == 0 ? 'a' : '\n';
    assert_int_equal(blocks_read(DOCUMENT_TEXT, (str){.ptr = text, .len = size}, &blocks, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_blocks),
        cmocka_unit_test(splits),
        cmocka_unit_test(holds_for_any_document),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_html_that_grows),
        cmocka_unit_test(refuses_sizes_and_too_many_chunks),
        cmocka_unit_test(refuses_too_many_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
