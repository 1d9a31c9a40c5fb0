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
