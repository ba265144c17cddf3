/*
 * The life of a browser, played by small programs that speak its protocol: one that is not there,
 * does not start, dies, talks nonsense, says nothing, and one that does what it should.
 */
#include "base/attr.h"
#include "base/mem.h"
#include "tool-adapter/browser/browser.h"

#include "cmocka.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TURN_MS = 1'000, TURNS_MAX = 6'000, PATIENT_MS = 50'000, SHORT_MS = 50, TEXT_MAX = 300 };

/* Reads commands and answers them; `special` goes first. */
#define PROGRAM(special)                                                                           \
    "#!/bin/bash\n"                                                                                \
    "say() { printf '%s\\0' \"$1\" >&4; }\n"                                                       \
    "while IFS= read -r -d '' -u 3 m; do\n"                                                        \
    "  id=${m#*\\\"id\\\":}; id=${id%%,*}; id=${id%%\\}*}\n"                                       \
    "  case $m in\n" special                                                                       \
    "  *createBrowserContext*) result='{\"browserContextId\":\"C\"}' ;;\n"                         \
    "  *createTarget*) result='{\"targetId\":\"T\"}' ;;\n"                                         \
    "  *attachToTarget*) result='{\"sessionId\":\"S\"}' ;;\n"                                      \
    "  *createIsolatedWorld*) result='{\"executionContextId\":1}' ;;\n"                            \
    "  *Runtime.evaluate*) result='{\"result\":{\"value\":[\"https://a.test/b\",\"<p>Hi\"]}}' "    \
    ";;\n"                                                                                         \
    "  *) result='{}' ;;\n"                                                                        \
    "  esac\n"                                                                                     \
    "  say \"{\\\"id\\\":$id,\\\"result\\\":$result}\"\n"                                          \
    "  case $m in *Page.navigate*) say "                                                           \
    "'{\"method\":\"Page.loadEventFired\",\"sessionId\":\"S\"}' ;; esac\n"                         \
    "done\n"

struct stage {
    char folder[TEXT_MAX], program[TEXT_MAX];
    struct loop *loop;
    struct work_pool *pool;
    struct http_client *http;
    struct hosts *hosts;
    struct browser *browser;
    unsigned ended;
    char fault[TEXT_MAX], content[TEXT_MAX], url[TEXT_MAX], error[TEXT_MAX];
    status code;
};

static void write_program(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void stage_open(struct stage *stage, const char *program, unsigned pages)
{
    *stage = (struct stage){};
    (void)snprintf(stage->folder, sizeof stage->folder, "/tmp/browser-test-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    (void)snprintf(stage->program, sizeof stage->program, "%.200s/program", stage->folder);
    if (program) write_program(stage->program, program);
    assert_int_equal(loop_new(NULL, &stage->loop, NULL), STATUS_OK);
    assert_int_equal(work_pool_new(stage->loop, 1, &stage->pool, NULL), STATUS_OK);
    const struct http_client_options http = {.loop = stage->loop};
    assert_int_equal(http_client_new(&http, &stage->http, NULL), STATUS_OK);
    stage->hosts                         = hosts_new(stage->loop, stage->http);
    const struct browser_options options = {.loop       = stage->loop,
                                            .pool       = stage->pool,
                                            .http       = stage->http,
                                            .hosts      = stage->hosts,
                                            .path       = stage->program,
                                            .folder     = stage->folder,
                                            .pages      = pages,
                                            .memory_max = 1 << 30,
                                            .close_ms   = SHORT_MS,
                                            .quiet_ms   = 1};
    stage->browser                       = browser_new(&options);
}

/* Also looks that nothing of a browser is left. */
static void stage_close(struct stage *stage)
{
    browser_freep(&stage->browser);
    work_pool_freep(&stage->pool);
    hosts_freep(&stage->hosts);
    http_client_freep(&stage->http);
    loop_freep(&stage->loop);
    (void)unlink(stage->program);
    assert_int_equal(rmdir(stage->folder), 0);
}

static void keep(char *ret_text, str text)
{
    (void)snprintf(ret_text, TEXT_MAX, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void ended(const struct page_result *result, void *context)
{
    struct stage *stage = context;
    stage->ended++;
    stage->code = result->code;
    keep(stage->fault, str_from(result->fault ? result->fault : ""));
    keep(stage->error, str_from(result->error.text));
    keep(stage->content, result->content);
    keep(stage->url, result->url);
}

static struct page *ask(struct stage *stage, int64_t total_ms)
{
    struct page *page                 = NULL;
    const struct page_request request = {.product    = PAGE_HTML,
                                         .url        = str_from("https://a.test/"),
                                         .user_agent = str_from("robot"),
                                         .total_ms   = total_ms};
    assert_int_equal(page_start(stage->browser, &request, ended, stage, &page, NULL), STATUS_OK);
    return page;
}

static void until_ended(struct stage *stage, unsigned count)
{
    for (int i = 0; i < TURNS_MAX && stage->ended < count; i++) loop_turn(stage->loop, TURN_MS);
    assert_int_equal(stage->ended, count);
}

static void what_is_not_there_is_named(void **)
{
    struct stage stage;
    struct page *page                 = NULL;
    struct error error                = {};
    const struct page_request request = {.url = str_from("https://a.test/"), .total_ms = SHORT_MS};
    stage_open(&stage, NULL, 1);
    assert_int_equal(page_start(stage.browser, &request, ended, &stage, &page, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(error.text, "tools.browser.path"));
    assert_non_null(strstr(error.text, "package `chromium`"));
    stage_close(&stage);
}

static void what_cannot_be_asked_is_refused(void **)
{
    static const struct page_request requests[] = {
        {.url = {"file:///etc/passwd", 18}},
        {.url = {"https://a:b@c.test/", 19}},
        {.url = {"https://a.test/", 15}, .width = PAGE_SIDE_MAX, .height = PAGE_SIDE_MAX},
        {.url = {"https://a.test/", 15}, .width = PAGE_SIDE_MAX + 1},
    };
    struct stage stage;
    stage_open(&stage, PROGRAM(""), 2);
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct page *page = NULL;
        assert_int_equal(page_start(stage.browser, &requests[i], ended, &stage, &page, NULL),
                         STATUS_INVALID_ARGUMENT);
    }
    stage_close(&stage);
}

/* A program, and what a page of it says. */
static void check_fault(const char *program, int64_t total_ms, const char *fault, status code,
                        const char *text)
{
    struct stage stage;
    stage_open(&stage, program, 1);
    for (unsigned i = 1; i <= 2; i++) { /* the second has a browser of its own */
        (void)ask(&stage, total_ms);
        until_ended(&stage, i);
        assert_string_equal(stage.fault, fault);
        assert_int_equal(stage.code, code);
        if (!strstr(stage.error, text)) assert_string_equal(stage.error, text);
    }
    stage_close(&stage);
}

static void one_that_does_not_start_says_why(void **)
{
    check_fault("#!/bin/bash\necho first >&2\necho 'No usable sandbox!' >&2\nexit 1\n", PATIENT_MS,
                "browser", STATUS_UNAVAILABLE, "did not start: No usable sandbox!");
}

static void one_that_dies_takes_its_pages_along(void **)
{
    check_fault(PROGRAM("  *createTarget*) exit 1 ;;\n"), PATIENT_MS, "browser", STATUS_UNAVAILABLE,
                "ended while it showed the page: by itself");
}

static void one_that_talks_nonsense_is_ended(void **)
{
    check_fault(PROGRAM("  *createTarget*) say 'nonsense' ;;\n"), PATIENT_MS, "browser",
                STATUS_UNAVAILABLE, "no message of a browser");
}

static void one_that_refuses_is_no_page(void **)
{
    check_fault(
        PROGRAM("  *createTarget*) say \"{\\\"id\\\":$id,\\\"error\\\":{\\\"message\\\":\\\"no "
                "room\\\"}}\"; continue ;;\n"),
        PATIENT_MS, "browser", STATUS_UNAVAILABLE, "no room");
}

/* It never answers, not even that a page has gone: it is ended, and the next one is new. */
static void one_that_hangs_is_ended(void **)
{
    check_fault(PROGRAM("  *createBrowserContext*) sleep 1000 ;;\n"), 500, "timeout",
                STATUS_DEADLINE_EXCEEDED, "took");
}

static void one_that_works_shows_pages(void **)
{
    struct stage stage;
    stage_open(&stage, PROGRAM(""), 2);
    for (int i = 0; i < 5; i++) (void)ask(&stage, PATIENT_MS);
    until_ended(&stage, 5);
    assert_string_equal(stage.fault, "");
    assert_string_equal(stage.content, "<p>Hi");
    assert_string_equal(stage.url, "https://a.test/b");
    stage_close(&stage);
}

/* Cancelled at each step of its life: nothing comes of it, and the others are not disturbed. */
static void a_page_that_is_cancelled_is_gone(void **)
{
    struct stage stage;
    stage_open(&stage, PROGRAM(""), 2);
    for (int turns = 0; turns < 30; turns++) {
        struct page *page = ask(&stage, PATIENT_MS);
        unsigned before   = stage.ended;
        for (int i = 0; i < turns && stage.ended == before; i++) loop_turn(stage.loop, TURN_MS);
        if (stage.ended == before) page_cancel(page);
        unsigned now = stage.ended;
        (void)ask(&stage, PATIENT_MS);
        until_ended(&stage, now + 1);
        assert_string_equal(stage.fault, "");
    }
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_is_named),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(one_that_does_not_start_says_why),
        cmocka_unit_test(one_that_dies_takes_its_pages_along),
        cmocka_unit_test(one_that_talks_nonsense_is_ended),
        cmocka_unit_test(one_that_refuses_is_no_page),
        cmocka_unit_test(one_that_hangs_is_ended),
        cmocka_unit_test(one_that_works_shows_pages),
        cmocka_unit_test(a_page_that_is_cancelled_is_gone),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the services do: a browser that dies does not read */
    if (http_init(NULL) != STATUS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
