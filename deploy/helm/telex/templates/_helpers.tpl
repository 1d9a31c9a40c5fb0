{{- define "telex.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "telex.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "telex.labels" -}}
{{ include "telex.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "telex.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What runs: a dictionary of the stages that are enabled, by name. */}}
{{- define "telex.stages" -}}
{{- $stages := dict -}}
{{- range $name, $stage := .Values.stages -}}
{{- if not (and (hasKey $stage "enabled") (not $stage.enabled)) -}}
{{- $_ := set $stages $name $stage -}}
{{- end -}}
{{- end -}}
{{ toJson $stages }}
{{- end -}}

{{/* Settings as environment: sections and keys parted by two underscores; dots, as in the Kafka client's, by one. */}}
{{- define "telex.flatten" -}}
{{- $prefix := .prefix -}}
{{- range $key, $value := .map }}
{{- $name := printf "%s__%s" $prefix ($key | upper | replace "." "_") }}
{{- if kindIs "map" $value }}
{{- include "telex.flatten" (dict "prefix" $name "map" $value) }}
{{- else }}
- name: {{ $name }}
  value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Environment of a pod: a dictionary with Values and, where it has one of its own, the Kafka user. */}}
{{- define "telex.environment" -}}
{{- $client := deepCopy .Values.kafka.client -}}
{{- with .user }}{{ $_ := set $client "sasl.username" . }}{{ end -}}
- name: TELEX__BUS__KIND
  value: kafka
- name: TELEX__BUS__BROKERS
  value: {{ required "kafka.brokers: the addresses of the brokers, host:port joined by commas" .Values.kafka.brokers | quote }}
- name: TELEX__BUS__TOPIC_PREFIX
  value: {{ .Values.kafka.topicPrefix | quote }}
- name: TELEX__METRICS__LISTEN
  value: "0.0.0.0:9464"
{{- include "telex.flatten" (dict "prefix" "TELEX__BUS__KAFKA" "map" $client) }}
{{- with .Values.kafka.existingSecret }}
{{- if and .name .passwordKey }}
- name: TELEX__BUS__KAFKA__SASL_PASSWORD_FILE
  value: {{ printf "/etc/telex/kafka/%s" .passwordKey | quote }}
{{- end }}
{{- if and .name .caKey }}
- name: TELEX__BUS__KAFKA__SSL_CA_LOCATION
  value: {{ printf "/etc/telex/kafka/%s" .caKey | quote }}
{{- end }}
{{- end }}
{{- include "telex.flatten" (dict "prefix" "TELEX" "map" .Values.config) }}
{{- end -}}

{{- define "telex.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "telex.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Where the SQLite sink keeps its articles; nothing where there is no such sink. */}}
{{- define "telex.articles" -}}
{{- with .Values.stages.sink -}}
{{- if and .enabled (not .postgres.existingSecret.name) -}}
{{ .persistence.existingClaim | default (printf "%s-articles" (include "telex.name" $)) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Secret of the PostgreSQL that the sink stores in, and the console reads; nothing where there is none. */}}
{{- define "telex.postgres" -}}
{{- with .Values.stages.sink -}}
{{- if .enabled -}}
{{ .postgres.existingSecret.name }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The SQLite sink and the console share a claim, and with it a node: each goes where the other is, the first to come
where it likes. Rejected: the console as a second container of the sink, which then stops where the console does.
*/}}
{{- define "telex.besideArticles" -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "telex.selector" . | nindent 10 }}
        matchExpressions:
          - {key: app.kubernetes.io/component, operator: In, values: [sink, console]}
{{- end -}}

{{/* Probes of what serves its health at the port `metrics`. */}}
{{- define "telex.probes" -}}
# Ready is: the broker answers, and a stage owns partitions or is a spare. To get there may take minutes where a large
# state is restored; liveness waits for it, and fails after 160 s without progress.
startupProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 20
  timeoutSeconds: 5
{{- end -}}
