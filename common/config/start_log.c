/* The log of a service, as its configuration wants it. */
#include "base/log.h"
#include "config/config.h"
#include "pii/scrub.h"

void config_start_log(const char *service, const struct config_common *common)
{
    log_init(service, (enum log_level)common->log_level, (enum log_format)common->log_format);
    log_set_scrub(pii_hide_in_log);
}
