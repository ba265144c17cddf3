#include "tool-adapter/connections/agent.h"

#include "tool-adapter/connections/hosts.h"

#include <stdio.h>

status user_agent_read(json config, char ret_agent[AGENT_SIZE], struct error *reterr)
{
    json contact = json_get_text(config, "contact");
    str text     = json_is(contact, JSON_TEXT) ? json_str(contact) : (str){};
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] > '~' || strchr("();", text.ptr[i])) {
            return fail(reterr, STATUS_INVALID_ARGUMENT,
                        "`contact` must be an address: a URL or an e-mail address");
        }
    }
    int len = snprintf(ret_agent, AGENT_SIZE,
                       text.len > 0 ? "Mozilla/5.0 (compatible; " WEB_PRODUCT "/" TUTTI_VERSION
                                      "; +" STR_FMT ")"
                                    : "Mozilla/5.0 (compatible; " WEB_PRODUCT "/" TUTTI_VERSION ")",
                       STR_ARG(text));
    if ((size_t)len < AGENT_SIZE) return STATUS_OK;
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`contact` is too long");
}
