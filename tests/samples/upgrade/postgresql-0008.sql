--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: artifact; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.artifact (
    id character varying(12) NOT NULL,
    recording_id character varying(12) NOT NULL,
    kind character varying(16) NOT NULL,
    name character varying(255) NOT NULL,
    path character varying(255) NOT NULL,
    media_type character varying(80) NOT NULL,
    bytes bigint NOT NULL,
    sha256 character varying(64) NOT NULL,
    meta json NOT NULL,
    created_at_ms bigint NOT NULL
);


--
-- Name: consent; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.consent (
    recording_id character varying(12) NOT NULL,
    n bigint NOT NULL,
    participant_id character varying(12) NOT NULL,
    name character varying(80) NOT NULL,
    answer character varying(10) NOT NULL,
    how character varying(10) NOT NULL,
    text text NOT NULL,
    language character varying(35) NOT NULL,
    at_ms bigint NOT NULL
);


--
-- Name: disposal; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.disposal (
    path character varying(80) NOT NULL,
    at_ms bigint NOT NULL
);


--
-- Name: event; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.event (
    id character varying(12) NOT NULL,
    recording_id character varying(12) NOT NULL,
    kind character varying(16) NOT NULL,
    actor character varying(80) NOT NULL,
    body json NOT NULL,
    at_ms bigint NOT NULL
);


--
-- Name: job; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.job (
    recording_id character varying(12) NOT NULL,
    step character varying(16) NOT NULL,
    "position" bigint NOT NULL,
    state character varying(10) NOT NULL,
    attempt bigint NOT NULL,
    worker character varying(80),
    lease_until_ms bigint,
    progress bigint NOT NULL,
    eta_s bigint,
    reason text
);


--
-- Name: message; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message (
    recipient_id character varying(12) NOT NULL,
    n bigint NOT NULL,
    sender_id character varying(12) NOT NULL,
    kind character varying(32) NOT NULL,
    body text NOT NULL,
    created_at_ms bigint NOT NULL
);


--
-- Name: participant; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.participant (
    id character varying(12) NOT NULL,
    room_id character varying(14),
    kind character varying(10) NOT NULL,
    name character varying(80) NOT NULL,
    role character varying(10) NOT NULL,
    token_hash character varying(64) NOT NULL,
    sent_n bigint NOT NULL,
    mailbox_n bigint NOT NULL,
    acknowledged_n bigint NOT NULL,
    worker character varying(64) NOT NULL,
    joined_at_ms bigint NOT NULL,
    left_at_ms bigint
);


--
-- Name: recording; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.recording (
    id character varying(12) NOT NULL,
    room_id character varying(14) NOT NULL,
    state character varying(12) NOT NULL,
    wanted character varying(12) NOT NULL,
    reason text,
    requested_by character varying(80) NOT NULL,
    recorder_id character varying(12),
    lease_until_ms bigint,
    live json NOT NULL,
    requested_at_ms bigint NOT NULL,
    started_at_ms bigint,
    ended_at_ms bigint,
    duration_ms bigint,
    held boolean DEFAULT false NOT NULL
);


--
-- Name: room; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.room (
    id character varying(14) NOT NULL,
    title character varying(200) NOT NULL,
    host_key_hash character varying(64) NOT NULL,
    settings json NOT NULL,
    created_at_ms bigint NOT NULL,
    closed_at_ms bigint
);


--
-- Name: segment; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.segment (
    id character varying(12) NOT NULL,
    recording_id character varying(12) NOT NULL,
    recorder_id character varying(12) NOT NULL,
    started_at_ms bigint NOT NULL,
    ended_at_ms bigint
);


--
-- Name: share; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.share (
    id character varying(12) NOT NULL,
    recording_id character varying(12) NOT NULL,
    name character varying(80) NOT NULL,
    secret_hash character varying(64) NOT NULL,
    password_hash character varying(255),
    downloads boolean NOT NULL,
    opened_n bigint NOT NULL,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint
);


--
-- Name: version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.version (
    recording_id character varying(12) NOT NULL,
    n bigint NOT NULL,
    title character varying(120) NOT NULL,
    wish json NOT NULL,
    requested_by character varying(80) NOT NULL,
    created_at_ms bigint NOT NULL
);


--
-- Name: webhook; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhook (
    recording_id character varying(12) NOT NULL,
    n bigint NOT NULL,
    id character varying(12) NOT NULL,
    body text NOT NULL,
    attempt bigint NOT NULL,
    due_at_ms bigint NOT NULL
);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0008');


--
-- Data for Name: artifact; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.artifact VALUES ('at9evz7k85fj', 're9ygtrhm9q9', 'track', 'Ana (camera).webm', 're9ygtrhm9q9/at9evz7k85fj', 'video/webm', 17, 'd4772220681c18ff8162873df254f0356a249cba15a669bc131b5fdf07863e71', '{}', 1795638335033);


--
-- Data for Name: consent; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: disposal; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: event; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.event VALUES ('ekhs33jmau4v', 're9ygtrhm9q9', 'requested', 'Alice', '{}', 1795638334420);
INSERT INTO public.event VALUES ('eh4ubejvs837', 're9ygtrhm9q9', 'claimed', 'prgbx4s895tv', '{"segment": "szf289n38fcu"}', 1795638334607);
INSERT INTO public.event VALUES ('ems3xjexcdtf', 're9ygtrhm9q9', 'stopped', 'Alice', '{}', 1795638335133);
INSERT INTO public.event VALUES ('ecjau5fb43b7', 're9ygtrhm9q9', 'ended', 'recorder', '{"reason": "stopped"}', 1795638335277);
INSERT INTO public.event VALUES ('ecumm6rwksx7', 're9ygtrhm9q9', 'shared', 'host', '{"share": "hz3r7ez3y8w7", "name": "Board"}', 1795638335694);


--
-- Data for Name: job; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'poster', 0, 'waiting', 0, NULL, 1795638365277, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'verify', 1, 'waiting', 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'manifest', 2, 'waiting', 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'sound', 3, 'waiting', 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'compose', 4, 'waiting', 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'thumbnails', 5, 'waiting', 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'quality', 6, 'waiting', 0, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.job VALUES ('re9ygtrhm9q9', 'publish', 7, 'waiting', 0, NULL, NULL, 0, NULL, NULL);


--
-- Data for Name: message; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message VALUES ('pqqtdfawav6n', 1, 'server', 'joined', '{"participant":{"id":"pwff6gmfwxkf","name":"Bob","kind":"person","role":"guest","joined_at_ms":1795638333991}}', 1795638333991);
INSERT INTO public.message VALUES ('prgbx4s895tv', 1, 'server', 'invite', '{"recording":"re9ygtrhm9q9","room":"u89w-fec2-5h73","people":2}', 1795638334420);
INSERT INTO public.message VALUES ('pqqtdfawav6n', 2, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"requested","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}', 1795638334420);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 1, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"requested","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}', 1795638334420);
INSERT INTO public.message VALUES ('pqqtdfawav6n', 3, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"starting","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}', 1795638334607);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 2, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"starting","wanted":"recording","by":"Alice","started_at_ms":null,"reason":null,"waiting":null}}', 1795638334607);
INSERT INTO public.message VALUES ('pqqtdfawav6n', 4, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"recording","wanted":"recording","by":"Alice","started_at_ms":1795638334763,"reason":null,"waiting":null}}', 1795638334763);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 3, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"recording","wanted":"recording","by":"Alice","started_at_ms":1795638334763,"reason":null,"waiting":null}}', 1795638334763);
INSERT INTO public.message VALUES ('pqqtdfawav6n', 5, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"stopping","wanted":"stopped","by":"Alice","started_at_ms":1795638334763,"reason":null,"waiting":null}}', 1795638335133);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 4, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"stopping","wanted":"stopped","by":"Alice","started_at_ms":1795638334763,"reason":null,"waiting":null}}', 1795638335133);
INSERT INTO public.message VALUES ('pqqtdfawav6n', 6, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"processing","wanted":"stopped","by":"Alice","started_at_ms":1795638334763,"reason":null,"waiting":null}}', 1795638335277);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 5, 'server', 'recording', '{"recording":{"id":"re9ygtrhm9q9","state":"processing","wanted":"stopped","by":"Alice","started_at_ms":1795638334763,"reason":null,"waiting":null}}', 1795638335277);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 6, 'pqqtdfawav6n', 'chat', '{"text":"grüße & <b>"}', 1795638336189);
INSERT INTO public.message VALUES ('pwff6gmfwxkf', 7, 'pqqtdfawav6n', 'note', '{"x":2}', 1795638336226);


--
-- Data for Name: participant; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.participant VALUES ('pz649dhrtj7n', 'bcfn-e3zy-bj2u', 'person', 'Charlie', 'host', '8cc09b8feb5695b7c7d63501bd65336a27a4c4567631d46e3642ea7f2b4bd1b6', 0, 0, 0, 'feaa643d76764bc4', 1795638334255, NULL);
INSERT INTO public.participant VALUES ('prgbx4s895tv', NULL, 'recorder', 'Rec', 'recorder', '4f81ae88e9cc14f6f3b41259826f6ad8cae3db654323ac81343f2819f144efba', 0, 1, 0, 'feaa643d76764bc4', 1795638334379, NULL);
INSERT INTO public.participant VALUES ('pqqtdfawav6n', 'u89w-fec2-5h73', 'person', 'Alice', 'host', '9302a773caaec891eb5151c69d672f0d287e2c5377306f9759be701b0fa0448c', 2, 6, 0, 'feaa643d76764bc4', 1795638333822, NULL);
INSERT INTO public.participant VALUES ('pwff6gmfwxkf', 'u89w-fec2-5h73', 'person', 'Bob', 'guest', 'ef3c26e393ee01a51501f0beaf11d693323a95dcac13d89d4052cc4f92b8a858', 0, 7, 0, 'feaa643d76764bc4', 1795638333991, NULL);


--
-- Data for Name: recording; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.recording VALUES ('re9ygtrhm9q9', 'u89w-fec2-5h73', 'processing', 'stopped', NULL, 'Alice', 'prgbx4s895tv', NULL, '{}', 1795638334420, 1795638334763, 1795638335277, 1000, false);


--
-- Data for Name: room; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.room VALUES ('u89w-fec2-5h73', 'Board meeting', '9062fc08ed47eb2d24d4bf3a56abf7eb79c1ad496858b0c781c0bdad761453f0', '{}', 1795638333579, NULL);
INSERT INTO public.room VALUES ('bcfn-e3zy-bj2u', 'Charlie''s', '47b74472bc0d33830b0d21e459f62cb03c6ac99f60c94b2d0d5a46d465167f2a', '{}', 1795638333637, NULL);


--
-- Data for Name: segment; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.segment VALUES ('szf289n38fcu', 're9ygtrhm9q9', 'prgbx4s895tv', 1795638334607, 1795638335277);


--
-- Data for Name: share; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.share VALUES ('hz3r7ez3y8w7', 're9ygtrhm9q9', 'Board', '23ea8ec15eb42e05f9b22fc6321a9ab8a29d05f53d7fb6a89e649e814e93e602', NULL, true, 0, 1795638335694, NULL);


--
-- Data for Name: version; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: webhook; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.webhook VALUES ('re9ygtrhm9q9', 1, 'wdtjs5s2dak9', '{"type":"recording.started","timestamp":"2026-11-25T20:25:34.763Z","data":{"id":"re9ygtrhm9q9","room":"u89w-fec2-5h73","title":"Board meeting","state":"recording","reason":null,"requested_at_ms":1795638334420,"started_at_ms":1795638334763,"ended_at_ms":null,"duration_ms":null,"url":null}}', 1, 1795638340702);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: artifact pk_artifact; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT pk_artifact PRIMARY KEY (id);


--
-- Name: consent pk_consent; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT pk_consent PRIMARY KEY (recording_id, n);


--
-- Name: disposal pk_disposal; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.disposal
    ADD CONSTRAINT pk_disposal PRIMARY KEY (path);


--
-- Name: event pk_event; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.event
    ADD CONSTRAINT pk_event PRIMARY KEY (id);


--
-- Name: job pk_job; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job
    ADD CONSTRAINT pk_job PRIMARY KEY (recording_id, step);


--
-- Name: message pk_message; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT pk_message PRIMARY KEY (recipient_id, n);


--
-- Name: participant pk_participant; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participant
    ADD CONSTRAINT pk_participant PRIMARY KEY (id);


--
-- Name: recording pk_recording; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.recording
    ADD CONSTRAINT pk_recording PRIMARY KEY (id);


--
-- Name: room pk_room; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.room
    ADD CONSTRAINT pk_room PRIMARY KEY (id);


--
-- Name: segment pk_segment; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.segment
    ADD CONSTRAINT pk_segment PRIMARY KEY (id);


--
-- Name: share pk_share; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.share
    ADD CONSTRAINT pk_share PRIMARY KEY (id);


--
-- Name: version pk_version; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.version
    ADD CONSTRAINT pk_version PRIMARY KEY (recording_id, n);


--
-- Name: webhook pk_webhook; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT pk_webhook PRIMARY KEY (recording_id, n);


--
-- Name: participant uq_participant_token_hash; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participant
    ADD CONSTRAINT uq_participant_token_hash UNIQUE (token_hash);


--
-- Name: webhook uq_webhook_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook
    ADD CONSTRAINT uq_webhook_id UNIQUE (id);


--
-- Name: ix_artifact_recording_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_artifact_recording_id ON public.artifact USING btree (recording_id);


--
-- Name: ix_event_recording_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_event_recording_id ON public.event USING btree (recording_id);


--
-- Name: ix_participant_room_id_left_at_ms; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_participant_room_id_left_at_ms ON public.participant USING btree (room_id, left_at_ms);


--
-- Name: ix_participant_worker; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_participant_worker ON public.participant USING btree (worker);


--
-- Name: ix_recording_room_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_recording_room_id ON public.recording USING btree (room_id);


--
-- Name: ix_segment_recording_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_segment_recording_id ON public.segment USING btree (recording_id);


--
-- Name: ix_share_recording_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_share_recording_id ON public.share USING btree (recording_id);


--
-- Name: artifact fk_artifact_recording_id_recording; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT fk_artifact_recording_id_recording FOREIGN KEY (recording_id) REFERENCES public.recording(id);


--
-- Name: job fk_job_recording_id_recording; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.job
    ADD CONSTRAINT fk_job_recording_id_recording FOREIGN KEY (recording_id) REFERENCES public.recording(id);


--
-- Name: message fk_message_recipient_id_participant; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT fk_message_recipient_id_participant FOREIGN KEY (recipient_id) REFERENCES public.participant(id);


--
-- Name: participant fk_participant_room_id_room; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.participant
    ADD CONSTRAINT fk_participant_room_id_room FOREIGN KEY (room_id) REFERENCES public.room(id);


--
-- Name: recording fk_recording_room_id_room; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.recording
    ADD CONSTRAINT fk_recording_room_id_room FOREIGN KEY (room_id) REFERENCES public.room(id);


--
-- Name: segment fk_segment_recording_id_recording; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.segment
    ADD CONSTRAINT fk_segment_recording_id_recording FOREIGN KEY (recording_id) REFERENCES public.recording(id);


--
-- Name: share fk_share_recording_id_recording; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.share
    ADD CONSTRAINT fk_share_recording_id_recording FOREIGN KEY (recording_id) REFERENCES public.recording(id);


--
-- Name: version fk_version_recording_id_recording; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.version
    ADD CONSTRAINT fk_version_recording_id_recording FOREIGN KEY (recording_id) REFERENCES public.recording(id);


--
-- PostgreSQL database dump complete
--



INSERT INTO public.consent (recording_id, n, participant_id, name, answer, how, text, language, at_ms) VALUES ('re9ygtrhm9q9', 1, 'pwff6gmfwxkf', 'Bob', 'given', 'asked', 'May you be recorded?', 'en', 1795638318100);
