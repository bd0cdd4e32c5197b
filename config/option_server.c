/*
 * The server's half of the option table: every keyword of sshd_config(5) up to OpenSSH 10.5,
 * Debian's patches and retired ones included. Data only.
 */
#include "base/algo_names.h"
#include "config/option_rows.h"
#include "config/sshd_config.h"

#define AT(field_) offsetof(struct server_options, field_)

#define MATCH     OPTION_MATCHABLE
#define MANY      OPTION_MANY
#define TAIL      OPTION_TAIL
#define EACH      (OPTION_MANY | OPTION_EACH)
#define FILE_EACH (OPTION_ONE_WORD | OPTION_UNIQUE | OPTION_TILDE)

/* clang-format off */
static const struct option_word root_words[] = {
    {"without-password", ROOT_PROHIBIT_PASSWORD}, {"prohibit-password", ROOT_PROHIBIT_PASSWORD},
    {"forced-commands-only", ROOT_FORCED_COMMANDS_ONLY},
    {"yes", ROOT_YES}, {"true", ROOT_YES}, {"no", ROOT_NO}, {"false", ROOT_NO},
    {NULL, 0},
};
static const struct option_word gateway_words[] = {
    {"clientspecified", GATEWAY_CLIENT_SPECIFIED}, {"yes", GATEWAY_YES}, {"true", GATEWAY_YES},
    {"no", GATEWAY_NO}, {"false", GATEWAY_NO},
    {NULL, 0},
};
static const struct option_word forwarding_words[] = {
    {"yes", FORWARDING_ALL}, {"all", FORWARDING_ALL}, {"true", FORWARDING_ALL},
    {"no", FORWARDING_NO}, {"false", FORWARDING_NO},
    {"remote", FORWARDING_REMOTE}, {"local", FORWARDING_LOCAL},
    {NULL, 0},
};
static const struct option_word tunnel_words[] = {
    {"no", TUNNEL_NO}, {"false", TUNNEL_NO}, {"point-to-point", TUNNEL_POINT_TO_POINT},
    {"ethernet", TUNNEL_ETHERNET}, {"yes", TUNNEL_YES}, {"true", TUNNEL_YES},
    {NULL, 0},
};

const struct option_row option_server_rows[] = {
    BLOCK("Match"),
    BLOCK("Include"),

    /* listening */
    BUILT(OPTION_PORTS,    "Port",              0, ports, "22"),
    BUILT_WORD(            "AddressFamily",     0, address_family, "any", option_family_words),
    BUILT(OPTION_LISTEN,   "ListenAddress",     0, listen_texts, NULL),
    BUILT(OPTION_SECONDS,  "LoginGraceTime",    0, login_grace_time_s, "120"),
    BUILT(OPTION_STARTUPS, "MaxStartups",       0, max_startups, "10:30:100"),
    BUILT_INT(             "MaxAuthTries",      MATCH, max_auth_tries, "6", 0, INT32_MAX),
    BUILT_INT(             "MaxSessions",       MATCH, max_sessions, "10", 0, INT32_MAX),
    BUILT(OPTION_FLAG,     "TCPKeepAlive",      0, tcp_keep_alive, "yes"),
    BUILT(OPTION_SECONDS,  "ClientAliveInterval", MATCH, client_alive_interval_s, "0"),
    BUILT_KIND(OPTION_LIST, "ChannelTimeout",   MATCH, channel_timeouts, NULL,
               OPTION_CHECK_TIMEOUT),
    BUILT(OPTION_SECONDS,  "UnusedConnectionTimeout", MATCH | OPTION_MAY_NONE,
                           unused_connection_timeout_s, "none"),
    BUILT_INT(             "ClientAliveCountMax", MATCH, client_alive_count_max, "3", 0, INT32_MAX),
    BUILT(OPTION_STRING,   "PidFile",           0, pid_file, "/run/sshd.pid"),
    BUILT_WORD(            "LogLevel",          MATCH, log_level, "INFO", option_log_level_words),

    /* who may log in */
    BUILT(OPTION_APPEND,   "HostKey",           FILE_EACH, host_keys,
                           "/etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_ecdsa_key "
                           "/etc/ssh/ssh_host_ed25519_key"),
    BUILT(OPTION_LIST,     "AuthorizedKeysFile", MATCH, authorized_keys_files,
                           ".ssh/authorized_keys .ssh/authorized_keys2"),
    BUILT(OPTION_FLAG,     "StrictModes",       0, strict_modes, "yes"),
    BUILT_WORD(            "PermitRootLogin",   MATCH, permit_root_login, "prohibit-password",
                           root_words),
    BUILT(OPTION_FLAG,     "PubkeyAuthentication", MATCH, pubkey_authentication, "yes"),
    BUILT_KIND(OPTION_APPEND, "AllowUsers",     MATCH, allow_users, NULL, OPTION_CHECK_USER),
    BUILT_KIND(OPTION_APPEND, "DenyUsers",      MATCH, deny_users, NULL, OPTION_CHECK_USER),

    /* forwarding */
    BUILT_WORD(            "GatewayPorts",      MATCH, gateway_ports, "no", gateway_words),
    BUILT_WORD(            "AllowTcpForwarding", MATCH, allow_tcp_forwarding, "yes",
                           forwarding_words),
    BUILT_WORD(            "AllowStreamLocalForwarding", MATCH, allow_stream_local_forwarding,
                           "yes", forwarding_words),
    BUILT(OPTION_MASK,     "StreamLocalBindMask", MATCH, stream_local_bind_mask, "0177"),
    BUILT(OPTION_FLAG,     "StreamLocalBindUnlink", MATCH, stream_local_bind_unlink, "no"),
    BUILT_WORD(            "PermitTunnel",      MATCH, permit_tunnel, "no", tunnel_words),
    BUILT(OPTION_FLAG,     "DisableForwarding", MATCH, disable_forwarding, "no"),
    BUILT_KIND(OPTION_LIST, "PermitOpen",       MATCH, permit_open, "any",
               OPTION_CHECK_PERMIT_OPEN),
    BUILT_KIND(OPTION_LIST, "PermitListen",     MATCH, permit_listen, "any",
               OPTION_CHECK_PERMIT_LISTEN),

    /* sessions */
    BUILT(OPTION_FLAG,     "PermitSession",     MATCH, permit_session, "no"), /* aditd's own */
    BUILT(OPTION_FLAG,     "PermitTTY",         MATCH, permit_tty, "yes"),
    BUILT(OPTION_COMMAND,  "ForceCommand",      MATCH, force_command, "none"),
    BUILT(OPTION_SUBSYSTEM, "Subsystem",        MATCH, subsystems, NULL),
    BUILT(OPTION_APPEND,   "AcceptEnv",         MATCH, accept_env, NULL),
    BUILT_KIND(OPTION_APPEND, "SetEnv",         MATCH, set_env, NULL, OPTION_CHECK_ASSIGNMENT),
    BUILT(OPTION_STRING,   "PermitUserEnvironment", 0, permit_user_environment, "no"),
    BUILT(OPTION_FLAG,     "PermitUserRC",      MATCH, permit_user_rc, "yes"),
    BUILT(OPTION_FLAG,     "PrintMotd",         0, print_motd, "yes"),
    BUILT(OPTION_FLAG,     "PrintLastLog",      0, print_last_log, "yes"),
    BUILT(OPTION_FLAG,     "ExposeAuthInfo",    MATCH, expose_auth_info, "no"),
    BUILT(OPTION_STRING,   "Banner",            MATCH, banner, "none"),

    /* algorithms */
    BUILT_KIND(OPTION_ALGORITHMS, "Ciphers",    0, ciphers, NULL, ALGO_NAMES_CIPHER),
    BUILT_KIND(OPTION_ALGORITHMS, "MACs",       0, macs, NULL, ALGO_NAMES_MAC),
    BUILT_KIND(OPTION_ALGORITHMS, "KexAlgorithms", 0, kex_algorithms, NULL, ALGO_NAMES_KEX),
    BUILT_KIND(OPTION_ALGORITHMS, "HostKeyAlgorithms", 0, host_key_algorithms, NULL,
               ALGO_NAMES_HOST_KEY),
    BUILT_KIND(OPTION_ALGORITHMS, "PubkeyAcceptedAlgorithms", MATCH, pubkey_accepted_algorithms,
               NULL, ALGO_NAMES_HOST_KEY),
    BUILT(OPTION_REKEY,    "RekeyLimit",        MATCH, rekey_limit, "default none"),

    /* not built, and leaving them out would allow more */
    RESTRICTION("AllowGroups",             MATCH | EACH, NULL),
    RESTRICTION("DenyGroups",              MATCH | EACH, NULL),
    RESTRICTION("AuthenticationMethods",   MATCH, "any"),
    RESTRICTION("ChrootDirectory",         MATCH, "none"),
    RESTRICTION("PerSourceMaxStartups",    0, "none"),
    RESTRICTION("PerSourcePenalties",      0, "no"),
    RESTRICTION("PubkeyAuthOptions",       MATCH, "none"),
    RESTRICTION("RDomain",                 MATCH, "none"),
    RESTRICTION("RefuseConnection",        MATCH, "no"),
    RESTRICTION("RequiredRSASize",         0, "1024"),
    RESTRICTION("RevokedKeys",             MATCH, "none"),

    /* not built */
    ACCEPTED("AllowAgentForwarding", MATCH),
    ACCEPTED("AuthorizedKeysCommand", MATCH | TAIL),
    ACCEPTED("AuthorizedKeysCommandUser", MATCH),
    ACCEPTED("AuthorizedPrincipalsCommand", MATCH | TAIL),
    ACCEPTED("AuthorizedPrincipalsCommandUser", MATCH),
    ACCEPTED("AuthorizedPrincipalsFile", MATCH),
    ACCEPTED("CASignatureAlgorithms", MATCH),
    ACCEPTED("Compression", 0),
    ACCEPTED("DebianBanner", 0),
    ACCEPTED("FingerprintHash", 0),
    ACCEPTED("GSSAPIAuthentication", MATCH),
    ACCEPTED("GSSAPICleanupCredentials", 0),
    ACCEPTED("GSSAPIDelegateCredentials", 0),
    ACCEPTED("GSSAPIKexAlgorithms", 0),
    ACCEPTED("GSSAPIKeyExchange", 0),
    ACCEPTED("GSSAPIStoreCredentialsOnRekey", 0),
    ACCEPTED("GSSAPIStrictAcceptorCheck", 0),
    ACCEPTED("HostbasedAcceptedAlgorithms", MATCH),
    ACCEPTED("HostbasedAuthentication", MATCH),
    ACCEPTED("HostbasedUsesNameFromPacketOnly", MATCH),
    ACCEPTED("HostCertificate", MANY),
    ACCEPTED("HostKeyAgent", 0),
    ACCEPTED("IgnoreRhosts", MATCH),
    ACCEPTED("IgnoreUserKnownHosts", 0),
    ACCEPTED("IPQoS", MATCH),
    ACCEPTED("KbdInteractiveAuthentication", MATCH),
    ACCEPTED("KerberosAuthentication", MATCH),
    ACCEPTED("KerberosGetAFSToken", 0),
    ACCEPTED("KerberosOrLocalPasswd", 0),
    ACCEPTED("KerberosTicketCleanup", 0),
    ACCEPTED("LogVerbose", MATCH),
    ACCEPTED("ModuliFile", 0),
    ACCEPTED("PAMServiceName", MATCH),
    ACCEPTED("PasswordAuthentication", MATCH),
    ACCEPTED("PermitEmptyPasswords", MATCH),
    ACCEPTED("PerSourceNetBlockSize", 0),
    ACCEPTED("PerSourcePenaltyExemptList", 0),
    ACCEPTED("SecurityKeyProvider", 0),
    ACCEPTED("SshdAuthPath", 0),
    ACCEPTED("SshdSessionPath", 0),
    ACCEPTED("SyslogFacility", 0),
    ACCEPTED("TrustedUserCAKeys", MATCH),
    ACCEPTED("UseDNS", 0),
    ACCEPTED("UsePAM", 0),
    ACCEPTED("VersionAddendum", TAIL),
    ACCEPTED("X11DisplayOffset", MATCH),
    ACCEPTED("X11Forwarding", MATCH),
    ACCEPTED("X11UseLocalhost", MATCH),
    ACCEPTED("XAuthLocation", 0),

    /* other spellings */
    ALIAS("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("SKeyAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("DSAAuthentication", "PubkeyAuthentication"),
    ALIAS("HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms"),
    ALIAS("HostDSAKey", "HostKey"),
    ALIAS("KeepAlive", "TCPKeepAlive"),
    ALIAS("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),

    /* retired */
    DEPRECATED("AFSTokenPassing"),
    DEPRECATED("AuthorizedKeysFile2"),
    DEPRECATED("CheckMail"),
    DEPRECATED("GSSUseSessionCredCache"),
    DEPRECATED("KerberosTgtPassing"),
    DEPRECATED("KeyRegenerationInterval"),
    DEPRECATED("PAMAuthenticationViaKbdInt"),
    DEPRECATED("Protocol"),
    DEPRECATED("ReverseMappingCheck"),
    DEPRECATED("RhostsAuthentication"),
    DEPRECATED("RhostsRSAAuthentication"),
    DEPRECATED("RSAAuthentication"),
    DEPRECATED("ServerKeyBits"),
    DEPRECATED("UseLogin"),
    DEPRECATED("UsePrivilegeSeparation"),
    DEPRECATED("VerifyReverseMapping"),
};
/* clang-format on */

const size_t option_server_row_count = ARRAY_LEN(option_server_rows);
_Static_assert(ARRAY_LEN(option_server_rows) <= OPTION_ROWS_MAX,
               "struct option_state is too small");
