/* What a page says by itself: its own session, and those of its frames and workers. */
#include "tool-adapter/browser/browser_internal.h"

#include "base/mem.h"

#include <stdlib.h>

void page_leave_all(struct page *page)
{
    struct wire *wire = page->browser->wire;
    for (size_t i = 0; i < PAGE_FRAMES_MAX; i++) {
        if (!page->frames[i]) continue;
        if (wire) wire_leave(wire, page->frames[i]);
        free(TAKE(page->frames[i]));
    }
    if (wire) wire_leave(wire, &page->session);
}

/* Nothing of it begins, and nothing is fetched, without us. */
json page_attachment_new(void)
{
    json attach = page_object_of("autoAttach", json_bool(true));
    json_object_put_text(&attach, "waitForDebuggerOnStart", json_bool(true));
    json_object_put_text(&attach, "flatten", json_bool(true));
    return attach;
}

json page_interception_new(void)
{
    json all = json_array_new(1);
    json_array_push(&all, page_object_of("urlPattern", json_text_from("*")));
    return page_object_of("patterns", all);
}

/* A frame of another site, or a worker, has a process and a session of its own. */
static void is_attached(struct page *page, json params)
{
    json id                    = json_get_text(params, "sessionId");
    struct wire_session **slot = NULL;
    for (size_t i = 0; i < PAGE_FRAMES_MAX && !slot; i++) {
        if (!page->frames[i]) slot = &page->frames[i];
    }
    if (!slot || !json_is(id, JSON_TEXT)) return; /* it waits for ever, and can do nothing */
    struct wire_session *session = mem_new(1, sizeof *session);
    *session                     = (struct wire_session){.event = page_heard, .context = page};
    if (!wire_listen(page->browser->wire, session, json_str(id))) {
        free(session);
        return;
    }
    *slot = session;
    page_send(page, session, "Fetch.enable", page_interception_new(), NULL);
    page_send(page, session, "Target.setAutoAttach", page_attachment_new(), NULL);
    page_send(page, session, "Runtime.runIfWaitingForDebugger", json_invalid(), NULL);
}

static void is_detached(struct page *page, json params)
{
    json id = json_get_text(params, "sessionId");
    for (size_t i = 0; i < PAGE_FRAMES_MAX && json_is(id, JSON_TEXT); i++) {
        if (!page->frames[i] || !str_is(json_str(id), page->frames[i]->id)) continue;
        wire_leave(page->browser->wire, page->frames[i]);
        free(TAKE(page->frames[i]));
        return;
    }
}

/* Who wants to stay when it is told to leave has no say in it. */
static void answer_dialog(struct page *page, json kind)
{
    bool is_leaving = json_is(kind, JSON_TEXT) && str_is(json_str(kind), "beforeunload");
    page_send(page, &page->session, "Page.handleJavaScriptDialog",
              page_object_of("accept", json_bool(is_leaving || page->request.accepts_dialogs)),
              NULL);
}

static void is_leaving(struct page *page, json params)
{
    json frame = json_get_text(params, "frameId");
    json where = json_get_text(params, "disposition");
    if (!page->run || !json_is(frame, JSON_TEXT) || !json_is(where, JSON_TEXT)) return;
    bool is_own = page->target_id && str_is(json_str(frame), page->target_id);
    if (is_own && str_is(json_str(where), "currentTab")) page_run_leaves(page);
}

void page_heard(struct wire_session *session, str method, json params, void *context)
{
    struct page *page = context;
    bool is_own       = session == &page->session;
    if (page->is_closing) return;
    page->said += session->size;
    if (page->said > page->browser->options.said_max) {
        page_fault(page, "too_large", STATUS_OK, "its requests have more than %zu bytes",
                   page->browser->options.said_max);
    } else if (str_is(method, "Fetch.requestPaused")) {
        page_fetch_begin(page, session, params);
    } else if (str_is(method, "Target.attachedToTarget")) {
        is_attached(page, params);
    } else if (str_is(method, "Target.detachedFromTarget")) {
        is_detached(page, params);
    } else if (is_own && str_is(method, "Page.loadEventFired")) {
        page->is_loaded = true;
        page_consider(page);
    } else if (is_own && str_is(method, "Page.javascriptDialogOpening")) {
        answer_dialog(page, json_get_text(params, "type"));
    } else if (is_own && str_is(method, "Page.frameRequestedNavigation")) {
        is_leaving(page, params);
    } else if (is_own && str_is(method, "Page.windowOpen")) {
        if (++page->windows <= PAGE_WINDOWS_MAX) return;
        page_fault(page, "too_large", STATUS_OK, "it opens more than %d windows", PAGE_WINDOWS_MAX);
    } else if (is_own && str_is(method, "Inspector.targetCrashed")) {
        page_fault(page, "browser", STATUS_UNAVAILABLE, "the page crashed");
    }
}
