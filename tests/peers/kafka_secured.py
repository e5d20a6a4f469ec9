"""Apache Kafka that asks who comes: by name and password, or by certificate, both encrypted."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from tests.peers.certificate import Certificate, issue_certificate
from tests.peers.kafka import KafkaServer
from tests.peers.process import free_port

USERNAME, PASSWORD = "okno", "пароль с пробелом"
GUEST = "guest"
"""Has the same password, and may do nothing until it is allowed."""
TOPIC, GROUP = 2, 3
LITERAL = 3
READ, WRITE = 3, 4
ALLOW = 3
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")
SECURED = """\
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SASL_SSL://127.0.0.1:{login},SSL://127.0.0.1:{known}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{login},SSL://127.0.0.1:{known}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{username}="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:CN=localhost;User:{username}
"""


class SecuredKafka(KafkaServer):
    """`login` and `known`: where a name and a password are asked for, and where a certificate; `own`: the broker's,
    `client`: whom it knows."""

    def _configuration(self) -> str:
        self.own, self.client = self._issued("own"), self._issued("client")
        self._login_port, self._known_port = free_port(), free_port()
        keystore = self._folder / "keystore.pem"
        keystore.write_bytes(self.own.key.read_bytes() + self.own.certificate.read_bytes())
        lines = super()._configuration().splitlines()
        kept = [line for line in lines if not line.startswith(("listeners=", "advertised.listeners="))]
        controller = next(line.rpartition(":")[2] for line in lines if line.startswith("controller.quorum"))
        told = SECURED.format(
            plain=self.port,
            controller=controller,
            login=self._login_port,
            known=self._known_port,
            username=USERNAME,
            password="".join(f"\\u{ord(letter):04x}" for letter in PASSWORD),
            keystore=keystore,
            truststore=self.client.certificate,
        )
        return "\n".join(kept) + "\n" + told

    @property
    def login(self) -> str:
        return f"127.0.0.1:{self._login_port}"

    @property
    def known(self) -> str:
        return f"127.0.0.1:{self._known_port}"

    def _issued(self, name: str) -> Certificate:
        folder = self._folder / name
        folder.mkdir()
        return issue_certificate(folder)

    async def allow_guest(self, topic: str, group: str) -> None:
        """Let the guest write and read one topic, with a group, and nothing else."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            for kind, name, operation in ((TOPIC, topic, READ), (TOPIC, topic, WRITE), (GROUP, group, READ)):
                asked = CreateAclsRequest(kind, name, LITERAL, f"User:{GUEST}", "*", operation, ALLOW)
                answer = await admin._client.send(admin._client.get_random_node(), asked)
                assert [code for code, *_ in answer.creation_responses] == [0], answer
        finally:
            await admin.close()

    def _users(self) -> tuple[str, ...]:
        return tuple(
            part
            for mechanism in MECHANISMS
            for name in (USERNAME, GUEST)
            for part in ("--add-scram", f"{mechanism}=[name={name},password={PASSWORD}]")
        )
