/*
 * The client's half of the option table: every keyword of ssh_config(5) up to OpenSSH 10.5,
 * Debian's patches and retired ones included. Data only.
 */
#include "base/algo_names.h"
#include "config/option_rows.h"
#include "config/ssh_config.h"

#define AT(field_) offsetof(struct client_options, field_)

#define MANY      OPTION_MANY
#define TAIL      OPTION_TAIL
#define EACH      (OPTION_MANY | OPTION_EACH)
#define FILE_EACH (OPTION_ONE_WORD | OPTION_UNIQUE | OPTION_TILDE)

/* clang-format off */
static const struct option_word strict_words[] = {
    {"true", STRICT_YES}, {"yes", STRICT_YES},
    {"false", STRICT_NO}, {"no", STRICT_NO}, {"off", STRICT_NO},
    {"ask", STRICT_ASK}, {"accept-new", STRICT_ACCEPT_NEW},
    {NULL, 0},
};
static const struct option_word update_words[] = {
    {"true", ANSWER_YES}, {"yes", ANSWER_YES}, {"false", ANSWER_NO}, {"no", ANSWER_NO},
    {"ask", ANSWER_ASK},
    {NULL, 0},
};
static const struct option_word pubkey_words[] = {
    {"true", PUBKEY_YES}, {"yes", PUBKEY_YES}, {"false", PUBKEY_NO}, {"no", PUBKEY_NO},
    {"unbound", PUBKEY_UNBOUND}, {"host-bound", PUBKEY_HOST_BOUND},
    {NULL, 0},
};
static const struct option_word session_words[] = {
    {"default", SESSION_DEFAULT}, {"none", SESSION_NONE}, {"subsystem", SESSION_SUBSYSTEM},
    {NULL, 0},
};
static const struct option_word tty_words[] = {
    {"true", TTY_YES}, {"yes", TTY_YES}, {"false", TTY_NO}, {"no", TTY_NO},
    {"force", TTY_FORCE}, {"auto", TTY_AUTO},
    {NULL, 0},
};

const struct option_row option_client_rows[] = {
    BLOCK("Host"),
    BLOCK("Match"),
    BLOCK("Include"),

    /* where to and as whom */
    BUILT(OPTION_STRING,   "User",                0, user, NULL),
    BUILT(OPTION_STRING,   "HostName",            0, host_name, NULL),
    BUILT(OPTION_PORT,     "Port",                0, port, "22"),
    BUILT_WORD(            "AddressFamily",       0, address_family, "any", option_family_words),
    BUILT(OPTION_STRING,   "BindAddress",         0, bind_address, NULL),
    {.name = "ProxyCommand", .type = OPTION_COMMAND, .offset = AT(proxy_command), .rival = "ProxyJump"},
    {.name = "ProxyJump", .type = OPTION_STRING, .flags = OPTION_MAY_NONE, .offset = AT(proxy_jump), .rival = "ProxyCommand"},
    BUILT(OPTION_SECONDS,  "ConnectTimeout",      OPTION_MAY_NONE, connect_timeout_s, "none"),
    BUILT_INT(             "ConnectionAttempts",  0, connection_attempts, "1", 1, INT32_MAX),
    BUILT(OPTION_FLAG,     "TCPKeepAlive",        0, tcp_keep_alive, "yes"),
    BUILT(OPTION_SECONDS,  "ServerAliveInterval", 0, server_alive_interval_s, "0"),
    BUILT_INT(             "ServerAliveCountMax", 0, server_alive_count_max, "3", 0, INT32_MAX),

    /* forwards */
    BUILT_KIND(OPTION_FORWARD, "LocalForward",    0, local_forwards, NULL, FORWARD_LOCAL),
    BUILT_KIND(OPTION_FORWARD, "RemoteForward",   0, remote_forwards, NULL, FORWARD_REMOTE),
    BUILT_KIND(OPTION_FORWARD, "DynamicForward",  0, dynamic_forwards, NULL, FORWARD_DYNAMIC),
    BUILT(OPTION_FLAG,     "GatewayPorts",        0, gateway_ports, "no"),
    BUILT_KIND(OPTION_LIST, "PermitRemoteOpen",   0, permit_remote_open, "any",
               OPTION_CHECK_PERMIT_OPEN),
    BUILT(OPTION_MASK,     "StreamLocalBindMask", 0, stream_local_bind_mask, "0177"),
    BUILT(OPTION_FLAG,     "StreamLocalBindUnlink", 0, stream_local_bind_unlink, "no"),
    BUILT(OPTION_FLAG,     "ExitOnForwardFailure", 0, exit_on_forward_failure, "no"),
    BUILT(OPTION_FLAG,     "ClearAllForwardings", 0, clear_all_forwardings, "no"),

    /* who the server is */
    BUILT_WORD(            "StrictHostKeyChecking", 0, strict_host_key, "ask", strict_words),
    BUILT(OPTION_LIST,     "UserKnownHostsFile",  OPTION_TILDE, user_known_hosts_files,
                           "~/.ssh/known_hosts ~/.ssh/known_hosts2"),
    BUILT(OPTION_LIST,     "GlobalKnownHostsFile", OPTION_TILDE, global_known_hosts_files,
                           "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"),
    BUILT(OPTION_STRING,   "HostKeyAlias",        0, host_key_alias, NULL),
    BUILT(OPTION_FLAG,     "HashKnownHosts",      0, hash_known_hosts, "no"),
    BUILT_WORD(            "UpdateHostKeys",      0, update_host_keys, "yes", update_words),

    /* who we are */
    BUILT(OPTION_APPEND,   "IdentityFile",        FILE_EACH, identity_files,
                           "~/.ssh/id_rsa ~/.ssh/id_ecdsa ~/.ssh/id_ecdsa_sk ~/.ssh/id_ed25519 "
                           "~/.ssh/id_ed25519_sk"),
    BUILT(OPTION_FLAG,     "IdentitiesOnly",      0, identities_only, "no"),
    BUILT(OPTION_STRING,   "IdentityAgent",       OPTION_TILDE | OPTION_MAY_NONE, identity_agent, NULL),
    BUILT_WORD(            "PubkeyAuthentication", 0, pubkey_authentication, "yes", pubkey_words),
    BUILT(OPTION_FLAG,     "BatchMode",           0, batch_mode, "no"),

    /* algorithms */
    BUILT_KIND(OPTION_ALGORITHMS, "Ciphers",      0, ciphers, NULL, ALGO_NAMES_CIPHER),
    BUILT_KIND(OPTION_ALGORITHMS, "MACs",         0, macs, NULL, ALGO_NAMES_MAC),
    BUILT_KIND(OPTION_ALGORITHMS, "KexAlgorithms", 0, kex_algorithms, NULL, ALGO_NAMES_KEX),
    BUILT_KIND(OPTION_ALGORITHMS, "HostKeyAlgorithms", 0, host_key_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT_KIND(OPTION_ALGORITHMS, "PubkeyAcceptedAlgorithms", 0, pubkey_accepted_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT(OPTION_REKEY,    "RekeyLimit",          0, rekey_limit, "default none"),

    /* the program */
    BUILT_WORD(            "LogLevel",            0, log_level, "INFO", option_log_level_words),
    BUILT(OPTION_STRING,   "IgnoreUnknown",       0, ignore_unknown, NULL),
    BUILT(OPTION_FLAG,     "ForkAfterAuthentication", 0, fork_after_authentication, "no"),
    BUILT(OPTION_FLAG,     "StdinNull",           0, stdin_null, "no"),
    BUILT_WORD(            "SessionType",         0, session_type, "default", session_words),
    BUILT_WORD(            "RequestTTY",          0, request_tty, "auto", tty_words),

    /* not built, and leaving them out connects elsewhere or trusts more */
    RESTRICTION("BindInterface",      0, NULL),
    RESTRICTION("RevokedHostKeys",    0, "none"),
    RESTRICTION("RequiredRSASize",    0, "1024"),
    RESTRICTION("RefuseConnection",   TAIL, NULL),

    /* not built */
    ACCEPTED("AddKeysToAgent", 0),
    ACCEPTED("CanonicalDomains", 0),
    ACCEPTED("CanonicalizeFallbackLocal", 0),
    ACCEPTED("CanonicalizeHostname", 0),
    ACCEPTED("CanonicalizeMaxDots", 0),
    ACCEPTED("CanonicalizePermittedCNAMEs", 0),
    ACCEPTED("CASignatureAlgorithms", 0),
    ACCEPTED("CertificateFile", MANY),
    ACCEPTED("ChannelTimeout", 0),
    ACCEPTED("CheckHostIP", 0),
    ACCEPTED("Compression", 0),
    ACCEPTED("ControlMaster", 0),
    ACCEPTED("ControlPath", 0),
    ACCEPTED("ControlPersist", 0),
    ACCEPTED("EnableEscapeCommandline", 0),
    ACCEPTED("EnableSSHKeysign", 0),
    ACCEPTED("EscapeChar", 0),
    ACCEPTED("FingerprintHash", 0),
    ACCEPTED("ForwardAgent", 0),
    ACCEPTED("ForwardX11", 0),
    ACCEPTED("ForwardX11Timeout", 0),
    ACCEPTED("ForwardX11Trusted", 0),
    ACCEPTED("GSSAPIAuthentication", 0),
    ACCEPTED("GSSAPIClientIdentity", 0),
    ACCEPTED("GSSAPIDelegateCredentials", 0),
    ACCEPTED("GSSAPIKexAlgorithms", 0),
    ACCEPTED("GSSAPIKeyExchange", 0),
    ACCEPTED("GSSAPIRenewalForcesRekey", 0),
    ACCEPTED("GSSAPIServerIdentity", 0),
    ACCEPTED("GSSAPITrustDns", 0),
    ACCEPTED("HostbasedAcceptedAlgorithms", 0),
    ACCEPTED("HostbasedAuthentication", 0),
    ACCEPTED("IPQoS", 0),
    ACCEPTED("KbdInteractiveAuthentication", 0),
    ACCEPTED("KbdInteractiveDevices", 0),
    ACCEPTED("KnownHostsCommand", TAIL),
    ACCEPTED("LocalCommand", TAIL),
    ACCEPTED("LogVerbose", 0),
    ACCEPTED("NoHostAuthenticationForLocalhost", 0),
    ACCEPTED("NumberOfPasswordPrompts", 0),
    ACCEPTED("ObscureKeystrokeTiming", 0),
    ACCEPTED("PasswordAuthentication", 0),
    ACCEPTED("PermitLocalCommand", 0),
    ACCEPTED("PKCS11Provider", 0),
    ACCEPTED("PreferredAuthentications", 0),
    ACCEPTED("ProxyUseFdpass", 0),
    ACCEPTED("RemoteCommand", TAIL),
    ACCEPTED("SecurityKeyProvider", 0),
    ACCEPTED("SendEnv", EACH),
    ACCEPTED("SetEnv", 0),
    ACCEPTED("SyslogFacility", 0),
    ACCEPTED("Tag", 0),
    ACCEPTED("Tunnel", 0),
    ACCEPTED("TunnelDevice", 0),
    ACCEPTED("VerifyHostKeyDNS", 0),
    ACCEPTED("VersionAddendum", TAIL),
    ACCEPTED("VisualHostKey", 0),
    ACCEPTED("WarnWeakCrypto", 0),
    ACCEPTED("XAuthLocation", 0),

    /* other spellings */
    ALIAS("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("SKeyAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("TISAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("DSAAuthentication", "PubkeyAuthentication"),
    ALIAS("HostbasedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ALIAS("HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ALIAS("IdentityFile2", "IdentityFile"),
    ALIAS("KeepAlive", "TCPKeepAlive"),
    ALIAS("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),
    ALIAS("SmartcardDevice", "PKCS11Provider"),

    /* retired */
    DEPRECATED("AFSTokenPassing"),
    DEPRECATED("Cipher"),
    DEPRECATED("CompressionLevel"),
    DEPRECATED("FallBackToRsh"),
    DEPRECATED("GlobalKnownHostsFile2"),
    DEPRECATED("KerberosAuthentication"),
    DEPRECATED("KerberosTgtPassing"),
    DEPRECATED("Protocol"),
    DEPRECATED("RhostsAuthentication"),
    DEPRECATED("RhostsRSAAuthentication"),
    DEPRECATED("RSAAuthentication"),
    DEPRECATED("UsePrivilegedPort"),
    DEPRECATED("UseRoaming"),
    DEPRECATED("UserKnownHostsFile2"),
    DEPRECATED("UseRsh"),
};
/* clang-format on */

const size_t option_client_row_count = ARRAY_LEN(option_client_rows);
_Static_assert(ARRAY_LEN(option_client_rows) <= OPTION_ROWS_MAX,
               "struct option_state is too small");
