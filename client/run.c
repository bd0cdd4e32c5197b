/* Which process does what. */
#include "client/run.h"

#include <string.h>

#include "base/log.h"
#include "client/background.h"
#include "client/mux_client.h"
#include "config/client_expand.h"

/* The session or the forwards through a master; *status if that was all. */
static bool through_master(const struct client_request *request, bool forwards_done, int *status)
{
    struct mux_client_request mux = {.run = request, .forwards_done = forwards_done};
    int proxy_fd = -1;
    if (mux_client_run(&mux, status, &proxy_fd) != OK)
        return false;
    if (proxy_fd >= 0) {
        struct client_request own = *request;
        own.proxy_fd = proxy_fd;
        *status = client_run(&own);
    }
    return true;
}

static int connect_or_share(const struct client_request *request)
{
    int status;
    bool may_share = request->control_path && !request->is_master_only;
    if (may_share && through_master(request, false, &status))
        return status;
    return client_run(request);
}

static int in_background(struct client_request *request)
{
    pid_t child;
    int fd;
    bool is_ready;
    if (background_fork(&child, &fd) != OK)
        return EXIT_FAILED;
    if (child)
        return background_wait(child, fd, &is_ready);
    request->ready_fd = fd;
    return connect_or_share(request);
}

/* A child stays behind as the master; what was asked for is then had through it. */
static int leave_master(struct client_request *request)
{
    pid_t child;
    int fd, status;
    bool is_ready;
    if (background_fork(&child, &fd) != OK)
        return EXIT_FAILED;
    if (child == 0) {
        request->ready_fd = fd;
        request->is_master_only = true;
        return client_run(request);
    }
    status = background_wait(child, fd, &is_ready);
    if (!is_ready || request->options->session_type == SESSION_NONE ||
        request->options->fork_after_authentication)
        return status;
    return through_master(request, true, &status) ? status : EXIT_FAILED;
}

static int run_with_path(struct client_request *request)
{
    const struct client_options *o = request->options;
    bool may_be_master = o->control_master != CONTROL_NO;
    int status = EXIT_FAILED;
    if (request->args->mux_command) {
        if (!through_master(request, false, &status))
            log_debug("no master to ask");
        return status;
    }
    bool is_there = mux_client_finds_master(request->control_path, may_be_master);
    bool wants_own = o->control_master == CONTROL_YES || o->control_master == CONTROL_ASK;
    if (is_there && wants_own)
        log_debug("a master listens at %s already", request->control_path);
    if (!is_there && may_be_master && o->control_persist.on && !request->args->stdio_host)
        return leave_master(request);
    return o->fork_after_authentication ? in_background(request) : connect_or_share(request);
}

int run_adit(const struct args *a, const struct client_options *o, const struct client_facts *facts)
{
    struct client_request request = {.args = a,
                                     .options = o,
                                     .home = facts->home,
                                     .facts = facts,
                                     .ready_fd = -1,
                                     .proxy_fd = -1};
    bool has_path = o->control_path && strcmp(o->control_path, "none") != 0;
    if (a->mux_command && !has_path) {
        log_error("No ControlPath specified for \"-O\" command");
        return EXIT_FAILED;
    }
    if (has_path) {
        request.control_path = o->control_path;
        return run_with_path(&request);
    }
    return o->fork_after_authentication ? in_background(&request) : client_run(&request);
}
