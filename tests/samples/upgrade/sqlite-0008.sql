BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0008');
CREATE TABLE artifact (
	id VARCHAR(12) NOT NULL, 
	recording_id VARCHAR(12) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	path VARCHAR(255) NOT NULL, 
	media_type VARCHAR(80) NOT NULL, 
	bytes BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	meta JSON NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_artifact PRIMARY KEY (id), 
	CONSTRAINT fk_artifact_recording_id_recording FOREIGN KEY(recording_id) REFERENCES recording (id)
);
INSERT INTO "artifact" VALUES('af78wbbm88u8','rs4bjkyh6rn6','track','Ana (camera).webm','rs4bjkyh6rn6/af78wbbm88u8','video/webm',17,'d4772220681c18ff8162873df254f0356a249cba15a669bc131b5fdf07863e71','{}',1795638318099);
CREATE TABLE consent (
	recording_id VARCHAR(12) NOT NULL, 
	n BIGINT NOT NULL, 
	participant_id VARCHAR(12) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	answer VARCHAR(10) NOT NULL, 
	how VARCHAR(10) NOT NULL, 
	text TEXT NOT NULL, 
	language VARCHAR(35) NOT NULL, 
	at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_consent PRIMARY KEY (recording_id, n)
);
CREATE TABLE disposal (
	path VARCHAR(80) NOT NULL, 
	at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_disposal PRIMARY KEY (path)
);
CREATE TABLE event (
	id VARCHAR(12) NOT NULL, 
	recording_id VARCHAR(12) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	actor VARCHAR(80) NOT NULL, 
	body JSON NOT NULL, 
	at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_event PRIMARY KEY (id)
);
INSERT INTO "event" VALUES('esj4w5jxgwuz','rs4bjkyh6rn6','requested','Alice','{}',1795638317850);
INSERT INTO "event" VALUES('ekca4jtfs52v','rs4bjkyh6rn6','claimed','p47wtgqj2cv6','{"segment": "sbxubf3t7n7f"}',1795638317912);
INSERT INTO "event" VALUES('ex5x32cbs9qe','rs4bjkyh6rn6','stopped','Alice','{}',1795638318186);
INSERT INTO "event" VALUES('efnter8hrx3u','rs4bjkyh6rn6','ended','recorder','{"reason": "stopped"}',1795638318201);
INSERT INTO "event" VALUES('eerd9kjfnf6y','rs4bjkyh6rn6','shared','host','{"share": "hnty4bxst7we", "name": "Board"}',1795638318227);
CREATE TABLE job (
	recording_id VARCHAR(12) NOT NULL, 
	step VARCHAR(16) NOT NULL, 
	position BIGINT NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	attempt BIGINT NOT NULL, 
	worker VARCHAR(80), 
	lease_until_ms BIGINT, 
	progress BIGINT NOT NULL, 
	eta_s BIGINT, 
	reason TEXT, 
	CONSTRAINT pk_job PRIMARY KEY (recording_id, step), 
	CONSTRAINT fk_job_recording_id_recording FOREIGN KEY(recording_id) REFERENCES recording (id)
);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','poster',0,'waiting',0,NULL,1795638348201,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','verify',1,'waiting',0,NULL,NULL,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','manifest',2,'waiting',0,NULL,NULL,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','sound',3,'waiting',0,NULL,NULL,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','compose',4,'waiting',0,NULL,NULL,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','thumbnails',5,'waiting',0,NULL,NULL,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','quality',6,'waiting',0,NULL,NULL,0,NULL,NULL);
INSERT INTO "job" VALUES('rs4bjkyh6rn6','publish',7,'waiting',0,NULL,NULL,0,NULL,NULL);
CREATE TABLE message (
	recipient_id VARCHAR(12) NOT NULL, 
	n BIGINT NOT NULL, 
	sender_id VARCHAR(12) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	body TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_message PRIMARY KEY (recipient_id, n), 
	CONSTRAINT fk_message_recipient_id_participant FOREIGN KEY(recipient_id) REFERENCES participant (id)
)
 WITHOUT ROWID

;
INSERT INTO "message" VALUES('p47wtgqj2cv6',1,'server','invite','{"recording":"rs4bjkyh6rn6","room":"aky2-2d2f-cmds","people":2}',1795638317850);
INSERT INTO "message" VALUES('pnnvkhv5yc8q',1,'server','joined','{"participant":{"id":"pv6svtkmwb9w","name":"Bob","kind":"person","role":"guest","joined_at_ms":1795638317630}}',1795638317630);
INSERT INTO "message" VALUES('pnnvkhv5yc8q',2,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"requested","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}',1795638317850);
INSERT INTO "message" VALUES('pnnvkhv5yc8q',3,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"starting","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}',1795638317912);
INSERT INTO "message" VALUES('pnnvkhv5yc8q',4,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"recording","wanted":"recording","by":"Alice","started_at_ms":1795638318023,"reason":null,"waiting":null}}',1795638318023);
INSERT INTO "message" VALUES('pnnvkhv5yc8q',5,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"stopping","wanted":"stopped","by":"Alice","started_at_ms":1795638318023,"reason":null,"waiting":null}}',1795638318186);
INSERT INTO "message" VALUES('pnnvkhv5yc8q',6,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"processing","wanted":"stopped","by":"Alice","started_at_ms":1795638318023,"reason":null,"waiting":null}}',1795638318201);
INSERT INTO "message" VALUES('pv6svtkmwb9w',1,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"requested","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}',1795638317850);
INSERT INTO "message" VALUES('pv6svtkmwb9w',2,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"starting","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}',1795638317912);
INSERT INTO "message" VALUES('pv6svtkmwb9w',3,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"recording","wanted":"recording","by":"Alice","started_at_ms":1795638318023,"reason":null,"waiting":null}}',1795638318023);
INSERT INTO "message" VALUES('pv6svtkmwb9w',4,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"stopping","wanted":"stopped","by":"Alice","started_at_ms":1795638318023,"reason":null,"waiting":null}}',1795638318186);
INSERT INTO "message" VALUES('pv6svtkmwb9w',5,'server','recording','{"recording":{"id":"rs4bjkyh6rn6","state":"processing","wanted":"stopped","by":"Alice","started_at_ms":1795638318023,"reason":null,"waiting":null}}',1795638318201);
INSERT INTO "message" VALUES('pv6svtkmwb9w',6,'pnnvkhv5yc8q','chat','{"text":"grüße & <b>"}',1795638318231);
INSERT INTO "message" VALUES('pv6svtkmwb9w',7,'pnnvkhv5yc8q','note','{"x":2}',1795638318232);
CREATE TABLE participant (
	id VARCHAR(12) NOT NULL, 
	room_id VARCHAR(14), 
	kind VARCHAR(10) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	role VARCHAR(10) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	sent_n BIGINT NOT NULL, 
	mailbox_n BIGINT NOT NULL, 
	acknowledged_n BIGINT NOT NULL, 
	worker VARCHAR(64) NOT NULL, 
	joined_at_ms BIGINT NOT NULL, 
	left_at_ms BIGINT, 
	CONSTRAINT pk_participant PRIMARY KEY (id), 
	CONSTRAINT fk_participant_room_id_room FOREIGN KEY(room_id) REFERENCES room (id), 
	CONSTRAINT uq_participant_token_hash UNIQUE (token_hash)
);
INSERT INTO "participant" VALUES('pnnvkhv5yc8q','aky2-2d2f-cmds','person','Alice','host','15c3a896af0ba033a017bee76751c7662f1b0d8a07a949c4a8fa6dc28853a265',2,6,0,'51912249f6fe409e',1795638317444,NULL);
INSERT INTO "participant" VALUES('pv6svtkmwb9w','aky2-2d2f-cmds','person','Bob','guest','ed1b08f67f1d8c52a1ca195cd0ce037b286ae08e3bb69095de1a5615b05974fe',0,7,0,'51912249f6fe409e',1795638317630,NULL);
INSERT INTO "participant" VALUES('pyvs4ncfubga','c9tw-e88z-vnzj','person','Charlie','host','39155c683524aba7006292b5eb22a0e6094837b0dce1ea8e0cceabb561fb40d3',0,0,0,'51912249f6fe409e',1795638317731,NULL);
INSERT INTO "participant" VALUES('p47wtgqj2cv6',NULL,'recorder','Rec','recorder','a1d7bc077b8889070e8bd9fc73ab51aa493417ff36d4440cfd314a3eaaa17ae3',0,1,0,'51912249f6fe409e',1795638317777,NULL);
CREATE TABLE recording (
	id VARCHAR(12) NOT NULL, 
	room_id VARCHAR(14) NOT NULL, 
	state VARCHAR(12) NOT NULL, 
	wanted VARCHAR(12) NOT NULL, 
	reason TEXT, 
	requested_by VARCHAR(80) NOT NULL, 
	recorder_id VARCHAR(12), 
	lease_until_ms BIGINT, 
	live JSON NOT NULL, 
	requested_at_ms BIGINT NOT NULL, 
	started_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	duration_ms BIGINT, held BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_recording PRIMARY KEY (id), 
	CONSTRAINT fk_recording_room_id_room FOREIGN KEY(room_id) REFERENCES room (id)
);
INSERT INTO "recording" VALUES('rs4bjkyh6rn6','aky2-2d2f-cmds','processing','stopped',NULL,'Alice','p47wtgqj2cv6',NULL,'{}',1795638317850,1795638318023,1795638318201,1000,0);
CREATE TABLE room (
	id VARCHAR(14) NOT NULL, 
	title VARCHAR(200) NOT NULL, 
	host_key_hash VARCHAR(64) NOT NULL, 
	settings JSON NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	closed_at_ms BIGINT, 
	CONSTRAINT pk_room PRIMARY KEY (id)
);
INSERT INTO "room" VALUES('aky2-2d2f-cmds','Board meeting','7c48db4a92b4002e89d70d3e13cebd85fbabe59b17fcdd132dd3eac7ee8358c2','{}',1795638317278,NULL);
INSERT INTO "room" VALUES('c9tw-e88z-vnzj','Charlie''s','97ff4dba5a2f3871721159b88cb130e9a70ba0b6b1b82e4528a759ded72d3498','{}',1795638317370,NULL);
CREATE TABLE segment (
	id VARCHAR(12) NOT NULL, 
	recording_id VARCHAR(12) NOT NULL, 
	recorder_id VARCHAR(12) NOT NULL, 
	started_at_ms BIGINT NOT NULL, 
	ended_at_ms BIGINT, 
	CONSTRAINT pk_segment PRIMARY KEY (id), 
	CONSTRAINT fk_segment_recording_id_recording FOREIGN KEY(recording_id) REFERENCES recording (id)
);
INSERT INTO "segment" VALUES('sbxubf3t7n7f','rs4bjkyh6rn6','p47wtgqj2cv6',1795638317912,1795638318201);
CREATE TABLE share (
	id VARCHAR(12) NOT NULL, 
	recording_id VARCHAR(12) NOT NULL, 
	name VARCHAR(80) NOT NULL, 
	secret_hash VARCHAR(64) NOT NULL, 
	password_hash VARCHAR(255), 
	downloads BOOLEAN NOT NULL, 
	opened_n BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	expires_at_ms BIGINT, 
	CONSTRAINT pk_share PRIMARY KEY (id), 
	CONSTRAINT fk_share_recording_id_recording FOREIGN KEY(recording_id) REFERENCES recording (id)
);
INSERT INTO "share" VALUES('hnty4bxst7we','rs4bjkyh6rn6','Board','71069a445a520a97d6f9fad9a98cc7e064fcb7237eb52489f24dfa4d6f454699',NULL,1,0,1795638318227,NULL);
CREATE TABLE version (
	recording_id VARCHAR(12) NOT NULL, 
	n BIGINT NOT NULL, 
	title VARCHAR(120) NOT NULL, 
	wish JSON NOT NULL, 
	requested_by VARCHAR(80) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_version PRIMARY KEY (recording_id, n), 
	CONSTRAINT fk_version_recording_id_recording FOREIGN KEY(recording_id) REFERENCES recording (id)
);
CREATE TABLE webhook (
	recording_id VARCHAR(12) NOT NULL, 
	n BIGINT NOT NULL, 
	id VARCHAR(12) NOT NULL, 
	body TEXT NOT NULL, 
	attempt BIGINT NOT NULL, 
	due_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_webhook PRIMARY KEY (recording_id, n), 
	CONSTRAINT uq_webhook_id UNIQUE (id)
);
INSERT INTO "webhook" VALUES('rs4bjkyh6rn6',1,'wk6uc3bbzqfj','{"type":"recording.started","timestamp":"2026-11-25T20:25:18.023Z","data":{"id":"rs4bjkyh6rn6","room":"aky2-2d2f-cmds","title":"Board meeting","state":"recording","reason":null,"requested_at_ms":1795638317850,"started_at_ms":1795638318023,"ended_at_ms":null,"duration_ms":null,"url":null}}',0,1795638318023);
CREATE INDEX ix_participant_room_id_left_at_ms ON participant (room_id, left_at_ms);
CREATE INDEX ix_participant_worker ON participant (worker);
CREATE INDEX ix_event_recording_id ON event (recording_id);
CREATE INDEX ix_recording_room_id ON recording (room_id);
CREATE INDEX ix_artifact_recording_id ON artifact (recording_id);
CREATE INDEX ix_segment_recording_id ON segment (recording_id);
CREATE INDEX ix_share_recording_id ON share (recording_id);
INSERT INTO "consent" (recording_id, n, participant_id, name, answer, how, text, language, at_ms) VALUES ('rs4bjkyh6rn6', 1, 'pv6svtkmwb9w', 'Bob', 'given', 'asked', 'May you be recorded?', 'en', 1795638318100);
COMMIT;
