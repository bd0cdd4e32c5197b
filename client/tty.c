/* The terminal. */
#include "client/tty.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "wire/tty_modes.h"

/* One a process, as terminals are: a signal handler must find it. */
static struct {
    int fd;
    struct termios before;
    volatile sig_atomic_t is_raw;
} tty;

struct tty_size tty_get_size(int fd)
{
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) != 0)
        return (struct tty_size){0};
    return (struct tty_size){w.ws_col, w.ws_row, w.ws_xpixel, w.ws_ypixel};
}

void tty_encode_modes(int fd, struct buf *out)
{
    struct termios now;
    const struct termios *known = NULL;
    if (tty.is_raw && fd == tty.fd)
        known = &tty.before;
    else if (tcgetattr(fd, &now) == 0)
        known = &now;
    if (tty_modes_encode(known, out) != OK)
        log_debug("the terminal's modes do not fit a request");
}

/* Deaths that a handler can see. What is left, SIGKILL, nobody can put right. */
static void on_fatal(int signal_number)
{
    int saved = errno;
    tty_leave_raw();
    errno = saved;
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void guard(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGALRM};
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
        struct sigaction was, now = {.sa_handler = on_fatal};
        if (sigaction(fatal[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
            (void)sigaction(fatal[i], &now, NULL);
    }
}

void tty_enter_raw(int fd)
{
    struct termios raw;
    if (tty.is_raw || tcgetattr(fd, &raw) != 0)
        return;
    tty.before = raw;
    tty.fd = fd;
    raw.c_iflag |= IGNPAR;
    raw.c_iflag &= ~(tcflag_t)(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF | IUCLC);
    raw.c_lflag &= ~(tcflag_t)(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN);
    raw.c_oflag &= ~(tcflag_t)OPOST;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    guard();
    if (tcsetattr(fd, TCSADRAIN, &raw) == 0)
        tty.is_raw = 1;
}

void tty_leave_raw(void)
{
    if (!tty.is_raw)
        return;
    tty.is_raw = 0;
    (void)tcsetattr(tty.fd, TCSADRAIN, &tty.before);
}

bool tty_is_raw(void)
{
    return tty.is_raw != 0;
}
